"""Stores the refused events of all parts, so that they can be listed, shown and sent again."""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from schemas.rejection import DeadLetter
from stream_processors.asked import skipped
from stream_processors.fetches import Fetch
from stream_processors.store import Row, Store


class KeepDeadLettersAgent:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, fetches: Sequence[Fetch]) -> None:
        await self._store.insert("dead_letters", [_row(letter) for fetch in fetches for letter in _letters(fetch)])


def _letters(fetch: Fetch) -> Iterator[DeadLetter]:
    for record in fetch.records:
        try:
            yield DeadLetter.model_validate_json(record.value or b"")
        except ValidationError as error:
            skipped(fetch, record.offset, error)


def _row(letter: DeadLetter) -> Row:
    return (
        letter.dead_letter_id,
        letter.reason.value,
        letter.detail,
        letter.refused_by,
        letter.refused_at,
        letter.site_id,
        letter.event_id,
        letter.payload,
    )
