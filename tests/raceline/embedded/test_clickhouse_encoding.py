"""Compressed request bodies, in whatever pieces they arrive."""

import gzip
from collections.abc import Callable, Iterable

import cramjam
import lz4.frame
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import given
from hypothesis import strategies as st

from raceline.embedded.clickhouse.encoding import decoder
from raceline.embedded.clickhouse.errors import QueryFailedError

FRAMES: dict[str, Callable[[bytes], bytes]] = {
    "lz4": lz4.frame.compress,
    "gzip": gzip.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
}


def decoded(encoding: str, pieces: Iterable[bytes]) -> bytes:
    body = decoder(encoding)
    return b"".join(body.decode(piece) for piece in pieces) + body.finish()


@pytest.mark.parametrize("encoding", FRAMES)
@given(blocks=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5), size=st.integers(1, 400))
def test_frames_one_after_the_other_are_one_body_however_they_are_cut(
    encoding: str, blocks: list[bytes], size: int
) -> None:
    sent = b"".join(FRAMES[encoding](block) for block in blocks)
    assert decoded(encoding, [sent[start : start + size] for start in range(0, len(sent), size)]) == b"".join(blocks)


@pytest.mark.parametrize("encoding", FRAMES)
def test_a_second_frame_that_ends_early_is_refused(encoding: str) -> None:
    sent = FRAMES[encoding](b"first" * 100) + FRAMES[encoding](b"second" * 100)[:-4]
    with pytest.raises(QueryFailedError):
        decoded(encoding, [sent])


@pytest.mark.parametrize("client", [{"compress": "lz4"}, {"compress": "zstd"}, {"compress": "gzip"}], indirect=True)
def test_an_insert_of_several_blocks_is_stored_whole(client: Client) -> None:
    """clickhouse-connect cuts an insert into blocks of about 2 MB, each an LZ4 frame of its own."""
    client.command("CREATE TABLE wide (number UInt32, text String) ENGINE = MergeTree ORDER BY number")
    rows = [[number, f"{number:x}" * 200] for number in range(20_000)]
    client.insert("wide", rows, column_names=["number", "text"])
    assert client.query("SELECT count(), sum(number) FROM wide").result_rows == [(20_000, sum(range(20_000)))]
