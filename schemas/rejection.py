"""Refusals: why an event was not taken, from a closed list, and the envelope it is kept in."""

from enum import StrEnum
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import StorableMoment


class RejectReason(StrEnum):
    INVALID_JSON = "invalid_json"
    INVALID_EVENT = "invalid_event"
    UNKNOWN_VERSION = "unknown_version"
    TOO_OLD = "too_old"
    IN_THE_FUTURE = "in_the_future"
    TOO_LARGE = "too_large"


EXPLANATIONS: dict[RejectReason, str] = {
    RejectReason.INVALID_JSON: "The record is not JSON in UTF-8, or contains NUL bytes.",
    RejectReason.INVALID_EVENT: "A field is missing, unknown, or of the wrong type; the detail names it.",
    RejectReason.UNKNOWN_VERSION: "schema_version is not one that this release knows.",
    RejectReason.TOO_OLD: "occurred_at is more than 7 days before received_at (imports: before 1990).",
    RejectReason.IN_THE_FUTURE: "occurred_at is more than 1 hour after received_at.",
    RejectReason.TOO_LARGE: "The event is larger than 256 KiB, or than Kafka's topic takes (max.message.bytes).",
}


class Rejection(BaseModel):
    """A refusal as a value: returned, never raised."""

    model_config = ConfigDict(frozen=True)

    reason: RejectReason
    detail: str


class DeadLetter(BaseModel):
    """One refused record on `race.dead_letters`, with all that is needed to fix and replay it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dead_letter_id: UUID = Field(description="the same for the same payload and reason, however often it is refused")
    reason: RejectReason
    detail: str
    refused_by: str = Field(description="collector, send or classify")
    refused_at: StorableMoment
    site_id: str = ""
    event_id: str = Field("", description="as found in the payload, when there was one")
    payload: str = Field(
        description="the record as it came (the collector's: completed); undecodable bytes are replaced"
    )


def dead_letter_id(payload: bytes, reason: RejectReason) -> UUID:
    return uuid5(NAMESPACE_URL, f"raceline:dead-letter:{reason}:{payload.hex()}")
