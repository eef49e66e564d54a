"""How the worker asks ClickHouse."""

import asyncio
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from stream_processors.store import Store, pieces

# What a ClickHouse server takes in one parameter; quotes and backslashes are sent escaped.
SERVERS_LIMIT = 128 * 1024

texts = st.text(alphabet="aä'\\", min_size=20, max_size=200)


@settings(max_examples=30)
@given(values=st.lists(texts, min_size=1, max_size=40))
def test_pieces_hold_everything_in_order_and_none_is_too_long_for_a_server(values: list[str]) -> None:
    texts = values * (3 * SERVERS_LIMIT // len("".join(values)))
    cut = list(pieces({"texts": texts, "numbers": range(len(texts))}))
    assert [text for piece in cut for text in piece["texts"]] == texts
    assert [number for piece in cut for number in piece["numbers"]] == list(range(len(texts)))
    for piece in cut:
        escaped = [str(text).replace("\\", "\\\\").replace("'", "\\'") for text in piece["texts"]]
        sent = "[" + ",".join(f"'{text}'" for text in escaped) + "]"
        assert len(sent.encode()) < SERVERS_LIMIT


def test_many_keys_are_asked_for_in_several_statements(store: Store) -> None:
    events = {("site", UUID(int=number)) for number in range(10_000)}
    assert asyncio.run(store.corrected_times(events)) == {}
    assert asyncio.run(store.first_times(events)) == {}
    assert asyncio.run(store.history([("site", f"v:{number:040}") for number in range(6_000)])) == []
