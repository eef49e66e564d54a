"""The classified event: an event with its stage and everything that was concluded about it."""

from pydantic import Field

from schemas.events import Event, Id
from schemas.stage import CustomerState, Media, Stage


class ClassifiedEvent(Event):
    stage: Stage | None = Field(None, description="exactly one, or none for events that say nothing")
    rule_id: str = Field(description="the rule that matched")
    rules_version: int
    reason: str = Field(description="one sentence: why this stage")
    channel: str = Field(description="GA4 default channel group")
    media: Media
    device: str = Field(description="desktop, mobile, tablet, other")
    is_bot: bool = False
    bot_reasons: tuple[str, ...] = ()
    clock_corrected: bool = Field(
        False, description="occurred_at was moved: the client's clock was off by more than 5 minutes"
    )
    person_id: Id | None = None
    customer_state: CustomerState = CustomerState.ANONYMOUS
    version: int = Field(0, description="a later, corrected copy of the same event has a higher one")
