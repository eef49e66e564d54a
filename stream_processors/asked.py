"""What one agent asked of another, read from `race.persons` and `race.buckets`.

Anybody may write to a topic: a record that cannot be read is skipped and logged, since it can be of no agent.
"""

import logging
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from schemas.touches import Barrier
from stream_processors.fetches import Fetch
from stream_processors.log import version

log = logging.getLogger(__name__)

Touch = TypeVar("Touch", bound=BaseModel)


class Reader(Generic[Touch]):
    """Reads touches of one model, with their versions, and barriers, with the partition that they came by."""

    def __init__(self, model: type[Touch]) -> None:
        either: Any = model | Barrier
        self._adapter: TypeAdapter[Any] = TypeAdapter(either)

    def read(self, fetches: Iterable[Fetch], generation: int) -> tuple[list[tuple[Touch, int]], list[Barrier]]:
        touches: list[tuple[Touch, int]] = []
        barriers: list[Barrier] = []
        for fetch in fetches:
            for record in fetch.records:
                try:
                    found = self._adapter.validate_json(record.value or b"")
                except ValidationError as error:
                    skipped(fetch, record.offset, error)
                    continue
                if isinstance(found, Barrier):
                    barriers.append(found.model_copy(update={"path": (*found.path, fetch.partition)}))
                else:
                    touches.append((found, version(generation, record.offset)))
        return touches, barriers


def skipped(fetch: Fetch, offset: int, error: ValidationError) -> None:
    what = error.errors(include_url=False, include_input=False, include_context=False)[0]["msg"]
    log.error("Skipped %s[%d]@%d, which no agent can have written: %s", fetch.topic, fetch.partition, offset, what)
