"""Settings of the embedded ClickHouse server."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class ClickHouseSettings(BaseSettings):
    """Read once at start, from RACELINE_CLICKHOUSE_*."""

    model_config = SettingsConfigDict(env_prefix="RACELINE_CLICKHOUSE_", frozen=True)

    user: str = Field("default", description="name that clients sign in with")
    password: SecretStr = Field(SecretStr(""), description="password of that user; empty: nobody needs to sign in")
    threads: int = Field(8, ge=1, le=64, description="queries that run at once; others wait")
    memory_ratio: float = Field(0.6, gt=0, le=0.9, description="share of this machine's memory that the engine may use")
    max_body_bytes: int = Field(4 << 30, ge=1 << 20, description="largest request body, after decompression")
    allowed_hosts: str = Field("", description="further names, comma-separated, under which clients may call this port")
    allowed_origins: str = Field("", description="web origins, comma-separated, whose pages may call this port")
