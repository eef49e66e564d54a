import gzip
import io
import os
import sys
from pathlib import Path

import pytest

from producers.files.formats import FORMATS, reader_for
from producers.files.items import UnreadableFile
from producers.files.opening import MAX_LINE, numbered_lines, opened
from producers.files.row_ids import RowIds


def read(path: Path) -> tuple[list[bytes], int]:
    sizes: list[int] = []
    with opened(str(path), sizes.append) as stream:
        return [line.content for line in numbered_lines(stream)], sum(sizes)


def test_gzip_is_told_by_its_content_and_progress_counts_the_files_bytes(tmp_path: Path) -> None:
    plain, packed = tmp_path / "a.log", tmp_path / "b.log"
    plain.write_bytes(b"one\ntwo\r\nthree")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert read(plain) == ([b"one", b"two", b"three"], plain.stat().st_size)
    assert read(packed) == ([b"one", b"two", b"three"], packed.stat().st_size)


def test_empty_file_has_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert read(path) == ([], 0)


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a\nb\n")
    os.close(writing)
    with os.fdopen(reading) as source:
        monkeypatch.setattr(sys, "stdin", source)
        with opened("-", lambda count: None) as stream:
            assert [line.content for line in numbered_lines(stream)] == [b"a", b"b"]
        assert not source.closed


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: data[:40] + b"\0\0\0\0" + data[44:]])
def test_damaged_gzip_is_told(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "a.gz"
    assert callable(damage)
    path.write_bytes(damage(gzip.compress(os.urandom(2000) + b"\n" * 500)))
    with pytest.raises(UnreadableFile, match="gzip"):
        read(path)


@pytest.mark.parametrize("excess", [1, MAX_LINE, 3 * MAX_LINE + 7])
def test_line_that_is_too_long_is_cut_and_the_next_one_whole(excess: int) -> None:
    first, second = numbered_lines(io.BytesIO(b"x" * (MAX_LINE + excess) + b"\nnext\n"))
    assert (first.too_long, first.number) == (True, 1)
    assert second == (2, b"next", False)


def test_line_of_the_greatest_length_is_whole() -> None:
    (line,) = numbered_lines(io.BytesIO(b"x" * MAX_LINE))
    assert (len(line.content), line.too_long) == (MAX_LINE, False)


def test_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnreadableFile, match=r"segment.*events, access-log, csv"):
        reader_for("segment")
    assert all(callable(reader_for(name)) for name in FORMATS)


def test_identical_rows_are_numbered_and_the_count_starts_again_with_every_file() -> None:
    def ids() -> list[str]:
        with RowIds("site", "csv") as rows:
            return [str(rows.next_id(content)) for content in ("a", "a", "b")]

    assert ids() == ids()
    assert len(set(ids())) == 3
