"""Apache Kafka for the tests: its jars come through Maven, once, and one KRaft node runs in a folder of its own."""

import hashlib
import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from ports import free_port

from raceline.embedded.child import Child

POM: Final = Path(__file__).with_name("apache-kafka") / "pom.xml"
_OLDEST_JAVA: Final = 17
_FETCH_SECONDS: Final = 300.0
_FORMAT_SECONDS: Final = 60.0
_READY_SECONDS: Final = 60.0
_STARTED: Final = b"Kafka Server started"
_HOST: Final = "127.0.0.1"
QUICK_START: Final = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
# A log on stderr without the 300 lines of configuration.
_LOG: Final = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
)


class ApacheKafkaMissingError(Exception):
    """It cannot be had on this machine; the text says what is missing."""


@dataclass(frozen=True)
class Installation:
    """What Kafka runs with and from."""

    java: str
    jars: Path
    jvm: tuple[str, ...] = QUICK_START

    def command(self, main: str, *arguments: str) -> list[str]:
        return [self.java, *self.jvm, *_LOG, "-cp", f"{self.jars}/*", main, *arguments]


def installation(pom: Path = POM) -> Installation:
    """Fetches the jars at the first call of all. Raises ApacheKafkaMissingError."""
    java = _java()
    name = f"{pom.parent.name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    jars = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raceline-tests" / name
    if not jars.exists():
        _fetch(jars, pom)
    return Installation(java, jars)


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise ApacheKafkaMissingError(f"Apache Kafka needs Java {_OLDEST_JAVA} or newer: there is no `java`")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    if found is None or int(found[1]) < _OLDEST_JAVA:
        first = said.strip().partition("\n")[0]
        raise ApacheKafkaMissingError(f"Apache Kafka needs Java {_OLDEST_JAVA} or newer: `java` is {first}")
    return java


def _fetch(jars: Path, pom: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise ApacheKafkaMissingError("Apache Kafka is fetched by Maven: there is no `mvn`")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=jars.parent) as draft:
        command = [
            maven,
            "-B",
            "-q",
            "-Dstyle.color=never",
            "-f",
            str(pom),
            "dependency:copy-dependencies",
            "-DincludeScope=runtime",
        ]
        try:
            done = subprocess.run(
                [*command, f"-DoutputDirectory={draft}/jars"],
                capture_output=True,
                text=True,
                timeout=_FETCH_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ApacheKafkaMissingError(f"Maven did not fetch Apache Kafka within {_FETCH_SECONDS:g} s") from None
        if done.returncode:
            said = (done.stdout + done.stderr).strip().partition("\n")[0]
            raise ApacheKafkaMissingError(f"Maven cannot fetch Apache Kafka: {said}")
        with suppress(OSError):  # another run was quicker
            Path(draft, "jars").rename(jars)


@dataclass
class ApacheKafka:
    """One broker, which is its own controller, on loopback. Unlike the embedded broker it keeps what it was sent.

    It creates no topic by itself, as clusters are run; all else is Kafka's default, except what a single node needs.
    It ends with the thread that started it (see `Child`): call `start` from the main thread.
    """

    installation: Installation
    folder: Path
    port: int = field(default_factory=free_port)
    _child: Child = field(default_factory=lambda: Child("Apache Kafka"), init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        return f"{_HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child.alive

    @property
    def log_path(self) -> Path:
        return self.folder / "kafka.log"

    def start(self, ready_seconds: float = _READY_SECONDS) -> None:
        """Start it, empty or on what it kept, and block until it takes requests; about 3 s, the first time 4 s.

        Raises ChildFailedError, with the end of its log, when it does not.
        """
        properties = self.folder / "server.properties"
        if not properties.exists():
            self._format(properties)
        before = self.log_path.stat().st_size if self.log_path.exists() else 0
        self._child.start(self.installation.command("kafka.Kafka", str(properties)), None, self.log_path)
        try:
            self._child.wait_ready(lambda: _STARTED in self.log_path.read_bytes()[before:], ready_seconds)
        except BaseException:
            self._child.kill()
            raise

    def stop(self, timeout: float = 15.0) -> None:
        """End it in order, or after the timeout at once; what it was sent stays in its folder."""
        self._child.stop(timeout)

    def kill(self) -> None:
        """End it as a crash would."""
        self._child.kill()

    def _format(self, properties: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = _settings(self.folder / "data", self.port, free_port())
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        tool = Child("Kafka's storage tool")
        arguments = ["format", "--cluster-id", "raceline-tests-cluster", "--config", str(properties)]
        tool.start(self.installation.command("kafka.tools.StorageTool", *arguments), None, self.log_path)
        tool.wait_ready(lambda: tool.returncode == 0, _FORMAT_SECONDS)


def _settings(data: Path, port: int, controller_port: int) -> dict[str, str | int]:
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{_HOST}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{_HOST}:{port},CONTROLLER://{_HOST}:{controller_port}",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        # One node cannot replicate.
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # Quicker and smaller.
        "group.initial.rebalance.delay.ms": 0,
        "offsets.topic.num.partitions": 4,
        "log.cleaner.dedupe.buffer.size": 2 * 1024 * 1024,
        "broker.heartbeat.interval.ms": 1000,
        "broker.session.timeout.ms": 4000,  # after a kill it is not let in again before that is over
    }
