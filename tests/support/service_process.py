"""A service of docker-compose.yml that runs from our own image, as a plain process."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compose_file import Service, replaced
from kafka_image import checked

from raceline.embedded.child import Child

_SECONDS: Final = 60.0


def until(condition: Callable[[], bool], said: Callable[[], str], seconds: float = _SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in time: {said()}"
        time.sleep(0.2)


@dataclass
class ServiceProcess:
    """`folder` gets its log; `health_changes` says what stands elsewhere than in the container."""

    service: Service
    image: Path
    environment: dict[str, str]
    folder: Path
    health_changes: dict[str, str]

    def __post_init__(self) -> None:
        self.child = Child(self.service.name)

    @property
    def log(self) -> str:
        return (self.folder / f"{self.service.name}.log").read_text()

    def start(self) -> None:
        self.child.start(self._in_image(self.service.process), self.environment, self.folder / f"{self.child.name}.log")

    def finish(self) -> int | None:
        until(lambda: not self.child.alive, self.child.log_tail)
        return self.child.returncode

    def stop(self) -> tuple[int | None, float]:
        """As Docker does. Its exit code and the seconds that it took."""
        started = time.monotonic()
        return self.child.stop(seconds_of(self.service)), time.monotonic() - started

    def health(self) -> subprocess.CompletedProcess[str]:
        command = replaced(self.service.health_command, self.health_changes)
        return checked(self._in_image(command), self.environment, self.service)

    def healthy(self) -> bool:
        return self.health().returncode == 0

    def execute(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`docker compose exec`."""
        return subprocess.run(
            self._in_image(list(words)),
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )

    def _in_image(self, command: list[str]) -> list[str]:
        found = self.image / "bin" / command[0]
        return [str(found) if found.exists() else command[0], *command[1:]]


def seconds_of(service: Service) -> float:
    return float(service.values["stop_grace_period"].removesuffix("s"))
