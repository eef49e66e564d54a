"""The two brokers on which the contracts are tested."""

from typing import Final

from apache_kafka import ApacheKafka

from raceline.embedded.broker import Broker

AnyBroker = Broker | ApacheKafka

KINDS: Final = ("tansu", "apache-kafka")
