"""The spool: what was appended is there after any death, and nothing that was not."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from producers.spool import Spool, SpoolFull, SpoolOptions, is_abandoned, read_events, segments, torn_lines

LINE = b'{"n": 1}'


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def options(tmp_path: Path) -> SpoolOptions:
    return SpoolOptions(tmp_path / "spool", "website")


def lines_of(folder: Path) -> list[bytes]:
    return [line for segment in segments(folder) for line in read_events(segment)]


def test_lines_are_readable_at_once_and_in_order(options: SpoolOptions) -> None:
    spool = Spool(options)
    spool.append([b'{"n": 1}', b'{"n": 2}'])
    spool.append([b'{"n": 3}'])
    assert lines_of(options.folder) == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']
    (segment,) = segments(options.folder)
    assert segment.is_open
    assert (segment.producer, segment.pid) == ("website", os.getpid())
    spool.close()


def test_segment_is_completed_at_its_size(options: SpoolOptions) -> None:
    spool = Spool(replace(options, segment_bytes=20))
    for _ in range(4):
        spool.append([LINE])
    spool.close()
    assert [len(list(read_events(segment))) for segment in segments(options.folder)] == [3, 1]
    assert not any(segment.is_open for segment in segments(options.folder))


def test_segment_is_completed_at_its_age_without_another_append(options: SpoolOptions) -> None:
    clock = Clock()
    spool = Spool(options, clock)
    spool.append([LINE])
    clock.now += 4.9
    spool.rotate_if_due()
    assert segments(options.folder)[0].is_open
    clock.now += 0.2
    spool.rotate_if_due()
    assert not segments(options.folder)[0].is_open
    spool.close()


def test_segments_sort_by_age_over_processes_and_clock_jumps(options: SpoolOptions) -> None:
    clock = Clock()
    spool, other = Spool(options, clock), Spool(replace(options, producer="crm"), clock)
    for number, writer in enumerate((spool, other, spool)):
        writer.append([b'{"n": %d}' % number])
        writer.close()
        clock.now += 1
    clock.now -= 100
    spool.append([b'{"n": 3}'])
    spool.close()
    assert lines_of(options.folder) == [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}', b'{"n": 3}']


def test_full_spool_takes_nothing_until_segments_are_deleted(options: SpoolOptions) -> None:
    spool = Spool(replace(options, max_bytes=40))
    for _ in range(4):
        spool.append([LINE])
    with pytest.raises(SpoolFull, match="limit is 40"):
        spool.append([LINE])
    assert len(lines_of(options.folder)) == 4
    spool.close()
    for segment in segments(options.folder):
        segment.path.unlink()
    spool.append([LINE])
    spool.close()


def test_size_limit_counts_the_segments_of_others(options: SpoolOptions) -> None:
    other = Spool(replace(options, producer="crm"))
    other.append([LINE] * 10)
    with pytest.raises(SpoolFull):
        Spool(replace(options, max_bytes=95)).append([LINE])
    other.close()


def test_torn_line_is_skipped_and_counted(options: SpoolOptions) -> None:
    spool = Spool(options)
    path = spool.append([LINE, LINE])
    with path.open("ab") as file:
        file.write(b'{"n": 2, "na')
    (segment,) = segments(options.folder)
    assert list(read_events(segment)) == [LINE, LINE]
    assert torn_lines(segment) == 1
    spool.close()


def test_zeros_that_a_power_loss_left_are_skipped(options: SpoolOptions) -> None:
    spool = Spool(options)
    path = spool.append([LINE])
    with path.open("ab") as file:
        file.write(b"\0" * 100 + b"\n" + LINE + b"\n")
    assert lines_of(options.folder) == [LINE, LINE]
    spool.close()


def test_half_a_write_on_a_full_disk_is_taken_back(options: SpoolOptions) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    spool = Spool(options)
    spool.append([LINE])
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
        with pytest.raises(SpoolFull, match="disk"):
            spool.append([b'{"n": "a long line that does not fit"}'])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    spool.append([LINE])
    assert lines_of(options.folder) == [LINE, LINE]
    assert torn_lines(segments(options.folder)[0]) == 0
    spool.close()


def test_segment_deleted_while_it_is_open_does_no_harm(options: SpoolOptions) -> None:
    spool = Spool(options)
    spool.append([LINE]).unlink()
    spool.close()
    assert segments(options.folder) == []


def test_foreign_files_in_the_folder_are_left_out(options: SpoolOptions) -> None:
    Spool(options)
    for name in ("readme.txt", "a-b-c.ndjson", ".website-1-2.open", "website-1.ndjson"):
        (options.folder / name).write_bytes(b"{}\n")
    assert segments(options.folder) == []


WRITER = """
import sys
from pathlib import Path
from producers.spool import Spool, SpoolOptions
spool = Spool(SpoolOptions(Path(sys.argv[1]), "website"))
number = 0
while True:
    spool.append([b'{"n": %d}' % number])
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
    number += 1
"""


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_kill_loses_nothing_that_was_appended_and_leaves_an_abandoned_segment(options: SpoolOptions) -> None:
    command = [sys.executable, "-c", WRITER, str(options.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        confirmed = int(writer.stdout.readline())
        while confirmed < 500:
            confirmed = int(writer.stdout.readline())
        assert not any(is_abandoned(segment) for segment in segments(options.folder))
        writer.kill()
        tail = writer.stdout.read().split(b"\n")
        confirmed = max([confirmed, *(int(number) for number in tail if number)])
    _wait_until(lambda: any(is_abandoned(segment) for segment in segments(options.folder)))
    found = lines_of(options.folder)
    assert found[: confirmed + 1] == [b'{"n": %d}' % number for number in range(confirmed + 1)]
