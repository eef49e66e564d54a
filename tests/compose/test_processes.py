"""The services of docker-compose.yml as plain processes: the same commands, variables and health checks, other ports.

Kafka is the image's own set-up and server, ClickHouse the embedded one, our processes run from what the image holds.
"""

import json
import os
import shutil
import signal
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from apache_kafka import ApacheKafkaMissingError, Installation, installation
from compose_file import VARIABLES, replaced, services
from kafka_image import POM, KafkaImage, checked
from service_process import ServiceProcess, seconds_of, until

from raceline.embedded.clickhouse import ClickHouse

pytestmark = pytest.mark.e2e

SERVICES: Final = services()


@dataclass
class Stack:
    kafka: KafkaImage
    clickhouse: ClickHouse
    migrate: ServiceProcess
    collector: ServiceProcess
    worker: ServiceProcess
    url: str


@pytest.fixture(scope="module")
def image_of_kafka(kafka_installation: Installation) -> Installation:
    """`kafka_installation` has found Java and Maven, or skipped."""
    try:
        return installation(POM)
    except ApacheKafkaMissingError as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="module")
def stack(
    image: Path,
    image_of_kafka: Installation,
    free_port: Callable[[], int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """Kafka and ClickHouse run, ours do not yet."""
    folder = tmp_path_factory.mktemp("stack")
    kafka = KafkaImage(image_of_kafka, SERVICES["kafka"], folder / "kafka", free_port(), free_port())
    ours = SERVICES["worker"].environment
    guarded = {name: ours[f"RACELINE_CLICKHOUSE_{name}"] for name in ("USER", "PASSWORD")}
    environment = {**os.environ, **{f"RACELINE_CLICKHOUSE_{name}": value for name, value in guarded.items()}}
    clickhouse = ClickHouse(folder / "clickhouse", free_port(), environment)
    port = free_port()

    def made(name: str, health_changes: dict[str, str], changes: dict[str, str]) -> ServiceProcess:
        addresses = {"kafka:9092": kafka.bootstrap, "http://clickhouse:8123": clickhouse.url}
        values = SERVICES[name].environment
        moved = dict(zip(values, replaced(list(values.values()), addresses | changes), strict=True))
        own = {"PATH": f"{image}/bin:/usr/bin:/bin", "RACELINE_DATA_DIR": str(folder / name)}
        return ServiceProcess(SERVICES[name], image, own | moved, folder, health_changes)

    try:
        kafka.start()
        clickhouse.start()
        yield Stack(
            kafka,
            clickhouse,
            made("migrate", {}, {}),
            made("collector", {":8080": f":{port}"}, {"0.0.0.0": "127.0.0.1", "8080": str(port)}),
            made(
                "worker",
                {"/tmp/working": str(folder / "working"), "-30 seconds": "-7 seconds"},
                {"/tmp/working": str(folder / "working"), "/tmp/raceline": str(folder / "worker-data")},
            ),
            f"http://127.0.0.1:{port}",
        )
    finally:
        kafka.kill()
        clickhouse.stop()


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[Stack]:
    """Migrated, with collector and worker."""
    stack.migrate.start()
    assert stack.migrate.finish() == 0, stack.migrate.log
    try:
        stack.collector.start()
        stack.worker.start()
        until(stack.collector.healthy, lambda: stack.collector.log)
        until(stack.worker.healthy, lambda: stack.worker.log)
        yield stack
    finally:
        stack.worker.child.kill()
        stack.collector.child.kill()


def test_image_configures_kafka_from_the_variables_of_the_file(stack: Stack) -> None:
    written = (stack.kafka.folder / "config" / "server.properties").read_text().splitlines()
    variables = {name for name in stack.kafka.environment if name.startswith("KAFKA_") and "HEAP" not in name}
    assert {line.partition("=")[0] for line in written if line} == {
        name.removeprefix("KAFKA_").lower().replace("_", ".") for name in variables
    }
    assert "auto.create.topics.enable=false" in written


def test_what_is_tested_is_of_the_releases_in_the_file(stack: Stack) -> None:
    kafka, clickhouse = (SERVICES[name].values["image"].partition(":")[2] for name in ("kafka", "clickhouse"))
    assert f"Kafka version: {kafka} " in stack.kafka.log
    assert (stack.kafka.installation.jars / f"kafka-tools-{kafka}.jar").is_file()
    ours = SERVICES["worker"].environment
    headers = {
        f"X-ClickHouse-{key}": ours[f"RACELINE_CLICKHOUSE_{name}"]
        for key, name in (("User", "USER"), ("Key", "PASSWORD"))
    }
    query = urllib.request.Request(stack.clickhouse.url, b"select version()", headers)
    with urllib.request.urlopen(query, timeout=10) as answer:
        assert answer.read().decode().split(".")[:2] == clickhouse.split(".")[:2]


def test_kafka_logs_to_stdout_only(stack: Stack) -> None:
    assert "Kafka Server started (kafka.server.KafkaRaftServer)" in stack.kafka.log
    assert {path.name for path in stack.kafka.folder.iterdir()} <= {"config", "default", "data", "kafka.log", "bin"}


def test_kafka_keeps_what_it_has_over_a_restart_and_its_health_tells_the_difference(stack: Stack) -> None:
    assert stack.kafka.health().returncode == 0, stack.kafka.health().stderr
    stack.kafka.stop()
    assert stack.kafka.health().returncode != 0
    stack.kafka.start()
    until(lambda: stack.kafka.health().returncode == 0, lambda: stack.kafka.health().stderr)


@pytest.mark.skipif(shutil.which("wget") is None and "CI" not in os.environ, reason="wget is not installed")
def test_clickhouse_health_tells_the_difference(stack: Stack, free_port: Callable[[], int]) -> None:
    service = SERVICES["clickhouse"]
    here = replaced(service.health_command, {"127.0.0.1:8123": stack.clickhouse.url.removeprefix("http://")})
    nowhere = replaced(service.health_command, {"127.0.0.1:8123": f"127.0.0.1:{free_port()}"})
    answer = checked(here, os.environ, service)
    assert answer.returncode == 0, answer.stderr
    assert checked(nowhere, os.environ, service).returncode != 0


def test_migrate_ends_well_and_again(stack: Stack) -> None:
    stack.migrate.start()
    assert stack.migrate.finish() == 0, stack.migrate.log
    stack.migrate.start()
    assert stack.migrate.finish() == 0, stack.migrate.log
    assert stack.migrate.log.endswith("0 migrations applied.\n0 topics created.\n")


def test_migrate_with_a_wrong_password_does_not_end_well(stack: Stack) -> None:
    wrong = {**stack.migrate.environment, "RACELINE_CLICKHOUSE_PASSWORD": "another"}
    refused = ServiceProcess(stack.migrate.service, stack.migrate.image, wrong, stack.migrate.folder / "kafka", {})
    refused.start()
    assert refused.finish() == 2
    assert "Traceback" not in refused.log


def test_an_event_reaches_the_live_page_and_the_kpis(running: Stack) -> None:
    with urllib.request.urlopen(f"{running.url}/", timeout=10) as page:
        assert page.status == 200
        assert b"<title>Raceline" in page.read()
    event = {"name": "page_view", "visitor_id": "v1", "context": {"url": "https://shop.example/"}}
    request = urllib.request.Request(
        f"{running.url}/v1/events", json.dumps(event).encode(), {"X-Raceline-Key": "demo"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.load(answer)["accepted"] == 1
    waited = running.collector.execute("raceline", "wait", "--timeout", "50")
    assert waited.returncode == 0, waited.stderr
    kpis = running.collector.execute("raceline", "kpis", "--site", "demo", "--format", "json")
    assert json.loads(kpis.stdout)["reach"]["unique_visitors"] == 1
    with urllib.request.urlopen(f"{running.url}/api/live?site=demo", timeout=20) as live:
        assert live.status == 200


def test_collector_is_unhealthy_without_clickhouse_and_healthy_again(running: Stack) -> None:
    running.clickhouse.stop()
    until(lambda: not running.collector.healthy(), lambda: running.collector.log)
    running.clickhouse.start()
    until(running.collector.healthy, lambda: running.collector.log)


def test_worker_that_hangs_becomes_unhealthy_and_healthy_again(running: Stack) -> None:
    pid = running.worker.child.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: not running.worker.healthy(), lambda: running.worker.log)
    finally:
        os.kill(pid, signal.SIGCONT)
    until(running.worker.healthy, lambda: running.worker.log)


def test_a_second_worker_joins(running: Stack) -> None:
    first = running.worker
    changes = {"/tmp/working": str(first.folder / "second"), "-30 seconds": "-7 seconds"}
    environment = {**first.environment, "RACELINE_HEARTBEAT": changes["/tmp/working"]}
    folder = first.folder / "second-worker"
    second = ServiceProcess(first.service, first.image, environment, folder, changes)
    second.start()
    try:
        until(second.healthy, lambda: second.log)
        until(first.healthy, lambda: first.log)
        code, seconds = second.stop()
        assert (code, seconds < seconds_of(second.service)) == (0, True), second.log
    finally:
        second.child.kill()


def test_no_secret_is_logged(running: Stack) -> None:
    folder = running.collector.folder
    logs = {path: path.read_text() for path in (*folder.glob("*.log"), *folder.glob("*/*.log"))}
    assert {"kafka", "clickhouse", "migrate", "collector", "worker"} <= {path.stem for path in logs}
    assert [(path, name) for path, log in logs.items() for name, value in VARIABLES.items() if value in log] == []
    assert [path for path, log in logs.items() if "Traceback" in log] == []


def test_both_stop_by_themselves_within_the_time_that_docker_gives_them(running: Stack) -> None:
    code, seconds = running.worker.stop()
    assert code == 0, running.worker.log
    assert seconds < seconds_of(running.worker.service)
    until(lambda: not running.worker.healthy(), lambda: "the worker's file is still touched")
    code, seconds = running.collector.stop()
    assert code == -signal.SIGTERM, "uvicorn passes the signal on when it has shut down"
    assert "Application shutdown complete" in running.collector.log
    assert seconds < seconds_of(running.collector.service)
    assert not running.collector.healthy()
