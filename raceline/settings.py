"""Settings of the command line: where the stack is, from `RACELINE_*` variables or the data folder's `stack.json`."""

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from producers.settings import SettingsError
from raceline.stack import Stack


class CommandSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="RACELINE_", frozen=True)

    data_dir: Path = Field(Path(".raceline"), description="folder for what a process keeps on disk")
    kafka: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, host:port, comma-separated")
    clickhouse_url: str = Field("http://127.0.0.1:8123", description="ClickHouse over HTTP")
    clickhouse_user: str = Field("default", description="user that reads and writes the tables")
    clickhouse_password: SecretStr = Field(SecretStr(""), description="its password")
    clickhouse_database: str = Field("raceline", description="database of all tables")
    collector_url: str = Field("http://127.0.0.1:8080", description="the collector and the live page")


def command_settings(data_dir: Path | None) -> CommandSettings:
    """A data folder that is named on the command line rules, then `RACELINE_*` addresses, then the folder they name.

    In a folder without `stack.json` the addresses of the environment, or the defaults, are taken.
    Raises SettingsError when that file cannot be read.
    """
    given = CommandSettings()
    folder = data_dir or given.data_dir
    stack = _stack(folder)
    if stack is None:
        return given.model_copy(update={"data_dir": folder})
    named: set[str] = set() if data_dir else given.model_fields_set
    found: dict[str, Any] = {
        "kafka": stack.kafka,
        "clickhouse_url": stack.clickhouse_url,
        "collector_url": stack.collector_url,
    }
    return given.model_copy(
        update={"data_dir": folder, **{name: value for name, value in found.items() if name not in named}}
    )


def _stack(folder: Path) -> Stack | None:
    try:
        return Stack.read(folder)
    except (ValueError, TypeError):
        broken = folder / "stack.json"
        raise SettingsError(f"{broken} cannot be read: delete it or start the stack again") from None
