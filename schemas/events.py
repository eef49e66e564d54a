"""The event: one fact about what somebody did, as every producer sends it to `race.events`."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

SCHEMA_VERSION: Final = 1

# No control characters: a NUL in an id is a bug of the sender, and ids end up in keys and file names.
_NO_CONTROL = r"^[^\x00-\x1f\x7f]+$"
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROL)]
SiteId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
EventName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, StringConstraints(max_length=2048)]


def in_utc(moment: datetime) -> datetime:
    """Raises ValueError where the calendar ends before the zone is changed."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a time that exists in UTC") from error


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
# What ClickHouse's DateTime can hold, by far.
StorableMoment = Annotated[Moment, Field(ge=datetime(1980, 1, 1, tzinfo=UTC), lt=datetime(2105, 1, 1, tzinfo=UTC))]


class Source(StrEnum):
    WEBSITE = "website"
    APP = "app"
    CRM = "crm"
    SERVER = "server"
    ADS = "ads"


class Context(BaseModel):
    """Where and how the event happened. All optional; a producer fills what it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Text | None = None
    referrer: Text | None = None
    title: Text | None = None
    utm_source: Text | None = None
    utm_medium: Text | None = None
    utm_campaign: Text | None = None
    utm_term: Text | None = None
    utm_content: Text | None = None
    click_ids: dict[str, Text] | None = Field(None, description="gclid, fbclid, msclkid, ... by parameter name")
    user_agent: Text | None = None
    ip: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        None, description="truncated: last octet (v4) or last 80 bits (v6) zero"
    )
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] | None = None
    locale: Annotated[str, StringConstraints(max_length=35)] | None = None
    screen: Annotated[str, StringConstraints(max_length=16)] | None = Field(
        None, description="WIDTHxHEIGHT in CSS pixels"
    )
    consent: dict[str, bool] | None = None
    imported: bool = Field(False, description="set by `raceline send` and polls only: history may reach back to 1990")


class Event(BaseModel):
    """One fact. Producers send it; only `stream_processors/race` gives it a stage."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA_VERSION
    event_id: UUID = Field(description="stable under retry and re-import")
    name: EventName = Field(description="GA4's recommended name where one exists")
    source: Source
    site_id: SiteId
    visitor_id: Id | None = Field(None, description="anonymous id of a browser or device")
    user_id: Id | None = Field(None, description="id of a known person")
    session_id: Id | None = Field(None, description="the source's own session, when it has one")
    occurred_at: Moment = Field(description="by the client's clock")
    sent_at: Moment | None = Field(None, description="by the client's clock, when it sent the request")
    received_at: Moment = Field(description="by our clock, when the producer got it")
    context: Context = Context()
    properties: dict[str, JsonValue] = Field(
        default_factory=dict, description="order_id, value, currency, items, score, ..."
    )

    def kafka_key(self) -> str | None:
        return self.user_id or self.visitor_id


def event_json(event: Event) -> bytes:
    """The Kafka record's value: UTF-8 JSON without the fields that are not set."""
    return event.model_dump_json(exclude_none=True).encode()


Json = dict[str, Any]
