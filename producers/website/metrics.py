"""What `GET /metrics` says about the collector."""

from collections import Counter

from producers.delivery import Delivery
from producers.metrics import counter_text, gauge_text, histogram_text, labelled_text


def metrics_text(accepted: int, refused: Counter[str], delivery: Delivery) -> str:
    publisher, stats = delivery.publisher, delivery.stats
    parts = (
        counter_text("raceline_events_accepted_total", "Events answered with 200.", accepted),
        labelled_text("raceline_refused_total", "Refused events and requests, by reason.", "reason", refused),
        counter_text("raceline_events_spooled_total", "Events written to the spool.", stats.spooled),
        counter_text("raceline_events_drained_total", "Events sent to Kafka from the spool.", stats.drained),
        counter_text("raceline_dead_letters_total", "Refused events sent to the dead letters.", stats.dead_letters),
        counter_text("raceline_dead_letters_lost_total", "Refused events not kept.", stats.dead_letters_lost),
        gauge_text("raceline_spool_bytes", "Size of the spool's folder.", delivery.spool.bytes_used),
        gauge_text("raceline_publisher_connected", "1 when Kafka takes records.", int(publisher.connected)),
        gauge_text("raceline_publisher_pending_bytes", "Waiting to be acknowledged.", publisher.pending_bytes),
        counter_text("raceline_published_total", "Records that Kafka acknowledged.", publisher.stats.acknowledged),
        counter_text("raceline_publish_failed_total", "Records not taken in time.", publisher.stats.failed),
        histogram_text("raceline_publish_seconds", "From handing in to acknowledgement.", publisher.stats.latency),
    )
    return "".join(parts)
