"""Settings of the worker process, from `RACELINE_*` environment variables."""

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="RACELINE_", frozen=True)

    kafka: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port, comma-separated")
    clickhouse_url: str = Field("http://127.0.0.1:8123", description="ClickHouse over HTTP")
    clickhouse_user: str = Field("default", description="user that reads and writes the tables")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="its password")
    clickhouse_database: str = Field("raceline", description="database of all tables")
    data_dir: Path = Field(Path(".raceline"), description="folder for what a process keeps on disk")
    consumer_group: str = Field("raceline", description="consumer group of the workers")
    broker_generation: int = Field(
        0,
        ge=0,
        lt=2**15,
        description="raise it by one, for all workers, when topics are made anew or Kafka is exchanged",
    )
    session_timeout: float = Field(10.0, gt=0, description="seconds until a silent worker's partitions move")
    heartbeat: Path | None = Field(None, description="file that is touched every 5 s while the worker works")
    roll_up_seconds: float = Field(
        0.8, ge=0, description="how long requests for a bucket are gathered, old ones four times"
    )
