"""What `raceline up` runs, where, and with which settings."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# The embedded broker lets a member join only after half of its session.
SESSION_SECONDS: Final = 6.0


@dataclass(frozen=True)
class Plan:
    """What to run and where. Ports are on 127.0.0.1."""

    data_dir: Path
    port: int = 8080
    host: str = "127.0.0.1"
    clickhouse_port: int = 8123
    kafka_port: int = 9092
    workers: int = 1
    broker_limit_bytes: int = 512 * 1024 * 1024
    extra: tuple[tuple[str, ...], ...] = ()  # modules to run besides, as `python -m` arguments

    def environment(self, generation: int) -> dict[str, str]:
        """Of every process: ours, and where the others are."""
        return {
            **os.environ,
            "RACELINE_DATA_DIR": str(self.data_dir),
            "RACELINE_KAFKA": f"127.0.0.1:{self.kafka_port}",
            "RACELINE_CLICKHOUSE_URL": f"http://127.0.0.1:{self.clickhouse_port}",
            "RACELINE_COLLECTOR_URL": f"http://{self.host}:{self.port}",
            "RACELINE_HOST": self.host,
            "RACELINE_PORT": str(self.port),
            "RACELINE_SPOOL": "always",
            "RACELINE_BROKER_GENERATION": str(generation),
            "RACELINE_SESSION_TIMEOUT": str(SESSION_SECONDS),
        }
