"""How the worker asks ClickHouse."""

import asyncio
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from stream_processors.store import Store, pieces

# What a ClickHouse server takes in one parameter; quotes and backslashes are sent escaped.
SERVERS_LIMIT = 128 * 1024

texts = st.text(alphabet="aä'\\", max_size=200)


@given(values=st.lists(texts, max_size=40), repeated=st.integers(1, 60))
def test_pieces_hold_everything_in_order_and_none_is_too_long_for_a_server(values: list[str], repeated: int) -> None:
    texts = values * repeated
    cut = list(pieces({"texts": texts, "numbers": range(len(texts))}))
    assert [text for piece in cut for text in piece["texts"]] == texts
    assert [number for piece in cut for number in piece["numbers"]] == list(range(len(texts)))
    for piece in cut:
        sent = repr([str(text).replace("\\", "\\\\").replace("'", "\\'") for text in piece["texts"]])
        assert len(sent.encode()) < SERVERS_LIMIT or len(piece["texts"]) == 1


def test_many_keys_are_asked_for_in_several_statements(store: Store) -> None:
    events = {("site", UUID(int=number)) for number in range(10_000)}
    assert asyncio.run(store.corrected_times(events)) == {}
    assert asyncio.run(store.first_times(events)) == {}
    assert asyncio.run(store.history([("site", f"v:{number:040}") for number in range(6_000)])) == []
