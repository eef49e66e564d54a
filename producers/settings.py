"""Settings of the producer processes: environment variables `RACELINE_*`."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_PREFIX = "RACELINE_"
_MIN_SECRET_BYTES = 16


class SettingsError(Exception):
    """A setting is wrong: one sentence with its name and value."""


class ProducerSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, env_ignore_empty=True)

    kafka: str = Field(
        "127.0.0.1:9092",
        pattern=r"^[^\s,]+:\d{1,5}(,[^\s,]+:\d{1,5})*$",
        description="Kafka's addresses, host:port, separated by commas",
    )
    data_dir: Path = Field(Path(".raceline"), description="where the spool and the secret are")
    host: str = Field("127.0.0.1", min_length=1, description="address the collector listens on")
    port: int = Field(8080, ge=0, le=65535, description="port the collector listens on")
    spool: Literal["always", "fallback"] = Field(
        "fallback", description="always: files first, Kafka in the background; fallback: files when Kafka is away"
    )
    spool_max_mb: int = Field(1024, ge=1, description="limit of the whole spool; events are answered with 503 above it")
    spool_fsync: bool = Field(False, description="an accepted event survives power loss, for some ms a request")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, description="limit of a request, also after unpacking")
    body_seconds: float = Field(10.0, gt=0, description="time in which a request's body must arrive")
    delivery_timeout: float = Field(30.0, gt=0, description="seconds until Kafka counts as not having taken a record")
    secret: SecretStr | None = Field(
        None,
        min_length=_MIN_SECRET_BYTES,
        description="key for the hashes of e-mails and visitors; default: made once, in <data-dir>/secret",
    )


def load_settings() -> ProducerSettings:
    """Raises SettingsError."""
    try:
        # every field comes from the environment or has a default
        return ProducerSettings()  # type: ignore[call-arg, unused-ignore]
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(dict(problem)) for problem in error.errors())) from None


def load_secret(settings: ProducerSettings) -> bytes:
    """The secret of the environment, else the one in the data dir, which is made at the first call of all.

    Raises SettingsError when the file cannot be read or made, or is too short to be a secret.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value().encode()
    path = settings.data_dir / "secret"
    try:
        if not path.exists():
            _make_secret(path)
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SettingsError(
            f"{_PREFIX}DATA_DIR={settings.data_dir}: the secret cannot be kept there: {error}"
        ) from error
    if len(secret) < _MIN_SECRET_BYTES:
        raise SettingsError(f"{path} holds {len(secret)} bytes, a secret has at least {_MIN_SECRET_BYTES}")
    return secret


def _make_secret(path: Path) -> None:
    """Several processes may start at once: the first one's secret appears complete, and stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".secret-{os.getpid()}-{secrets.token_hex(4)}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(secrets.token_hex(32) + "\n")
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()


def _sentence(problem: dict[str, object]) -> str:
    location = problem["loc"]
    name = str(location[0]) if isinstance(location, tuple) and location else "?"
    value = "..." if name == "secret" else problem["input"]
    return f"{_PREFIX}{name.upper()}={value}: {problem['msg']}"
