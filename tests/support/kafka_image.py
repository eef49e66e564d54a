"""The service `kafka` of docker-compose.yml without a container: the image's own set-up and server, from its jars."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from apache_kafka import Installation
from compose_file import ROOT, Service, replaced

from raceline.embedded.child import Child

POM: Final = ROOT / "tests" / "compose" / "kafka-image" / "pom.xml"
_STARTED: Final = b"Kafka Server started"
_SECONDS: Final = 90.0


@dataclass
class KafkaImage:
    installation: Installation
    service: Service
    folder: Path
    port: int
    controller_port: int
    _child: Child = field(default_factory=lambda: Child("the image's Kafka"), init=False, repr=False)

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        path = self.folder / "kafka.log"
        return path.read_text() if path.exists() else ""

    @property
    def environment(self) -> dict[str, str]:
        """As in the file, on other ports and in another folder."""
        changes = {
            "kafka:9092": self.bootstrap,
            "://:9092": f"://127.0.0.1:{self.port}",
            "localhost:9093": f"localhost:{self.controller_port}",
            "/var/lib/kafka/data": str(self.folder / "data"),
        }
        values = self.service.environment
        return dict(zip(values, replaced(list(values.values()), changes), strict=True))

    def start(self) -> None:
        """What the image does at each start: configuration from variables and mounted files, storage, server."""
        final = self.folder / "config"
        for folder in (final, self.folder / "default"):
            folder.mkdir(parents=True, exist_ok=True)
        set_up = self._run(
            "kafka.docker.KafkaDockerWrapper",
            *("setup", "--default-configs-dir", str(self.folder / "default")),
            *("--mounted-configs-dir", str(ROOT / self._mounted()), "--final-configs-dir", str(final)),
        )
        assert set_up.returncode == 0 or "already formatted" in set_up.stdout + set_up.stderr, set_up.stderr
        before = len(self.log)
        self._child.start(
            [
                self.installation.java,
                *self.service.environment["KAFKA_HEAP_OPTS"].split(),
                f"-Dlog4j2.configurationFile={final / 'log4j2.yaml'}",
                *("-cp", f"{self.installation.jars}/*", "kafka.Kafka", str(final / "server.properties")),
            ],
            {**os.environ, **self.environment},
            self.folder / "kafka.log",
        )
        self._child.wait_ready(lambda: _STARTED.decode() in self.log[before:], _SECONDS)

    def stop(self) -> int | None:
        return self._child.stop(30.0)

    def kill(self) -> None:
        self._child.kill()

    def health(self) -> subprocess.CompletedProcess[str]:
        """The file's command, with a script in place of the image's that runs the same class."""
        script = self.folder / "bin" / "kafka-broker-api-versions.sh"
        script.parent.mkdir(exist_ok=True)
        java = f'exec {self.installation.java} $KAFKA_HEAP_OPTS -cp "{self.installation.jars}/*"'
        script.write_text(f'#!/bin/sh\n{java} org.apache.kafka.tools.BrokerApiVersionsCommand "$@"\n')
        script.chmod(0o755)
        changes = {"/opt/kafka/bin": str(script.parent), "localhost:9092": self.bootstrap}
        return checked(replaced(self.service.health_command, changes), dict(os.environ), self.service)

    def _mounted(self) -> str:
        [source] = [v.split(":")[0] for v in self.service.values["volumes"] if v.endswith(":/mnt/shared/config:ro")]
        return str(source)

    def _run(self, main: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        logging = f"-Dlog4j2.configurationFile={self.folder / 'config' / 'tools-log4j2.yaml'}"  # as the image, though
        # it is not there yet: the folder is empty at each start.
        command = [self.installation.java, logging, "-cp", f"{self.installation.jars}/*", main, *arguments]
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)


def checked(command: list[str], environment: Mapping[str, str], service: Service) -> subprocess.CompletedProcess[str]:
    """A health check as Docker does it: unhealthy when the time is up, too."""
    limit = float(service.values["healthcheck"]["timeout"].removesuffix("s"))
    try:
        return subprocess.run(
            command, env=dict(environment), capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"no answer within {limit:g} s")
