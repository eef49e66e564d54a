"""The publisher's thread against a link that fails in every way that Kafka does."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

import pytest

from producers.outgoing import NeverPublished, OutgoingRecord, PendingQueue, PublishFailed, Request
from producers.rounds import NotNow, Rounds


class TooLarge(Exception):
    pass


@dataclass
class FakeAnswer:
    """True: acknowledged, False: failed, None: none yet."""

    state: bool | None
    exception: Exception | None = None

    def succeeded(self) -> bool:
        return self.state is True

    def failed(self) -> bool:
        return self.state is False


@dataclass
class FakeLink:
    """Takes the records of known topics; answers as `script` says, and well when it is used up."""

    topics: set[str] = field(default_factory=lambda: {"known"})
    script: list[bool | None] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)
    closed: bool = False

    def send(self, record: OutgoingRecord) -> FakeAnswer:
        if record.topic not in self.topics:
            raise NotNow("no metadata")
        if record.value == b"large":
            return FakeAnswer(False, TooLarge("1 MB"))
        state = self.script.pop(0) if self.script else True
        if state:
            self.taken.append(record.value)
        return FakeAnswer(state, None if state else OSError("broker said no"))

    def flush(self, timeout: float) -> None:
        time.sleep(0.001)

    def is_final(self, failure: Exception | None) -> bool:
        return isinstance(failure, TooLarge)

    def close(self) -> None:
        self.closed = True


@dataclass
class Running:
    queue: PendingQueue
    rounds: Rounds

    def submit(self, topic: str, values: list[bytes], seconds: float = 10.0) -> "Future[None]":
        waiter: Future[None] = Future()
        now = time.monotonic()
        unsent = [OutgoingRecord(topic, None, value) for value in values]
        self.queue.put(Request(unsent, 100, now, now + seconds, waiter))
        return waiter


Start = Callable[[FakeLink], Running]


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[tuple[Running, threading.Thread]] = []

    def begin(link: FakeLink) -> Running:
        queue = PendingQueue(1_000_000)
        rounds = Rounds(queue, lambda: link, 0.001, time.monotonic)
        thread = threading.Thread(target=rounds.run)
        thread.start()
        running.append((Running(queue, rounds), thread))
        return running[-1][0]

    yield begin
    for each, thread in running:
        each.rounds.close_by = time.monotonic() + 0.2
        each.queue.close()
        thread.join(5)


def test_an_unknown_topic_fails_at_its_deadline_and_does_not_stop_the_others(start: Start) -> None:
    running = start(FakeLink())
    lost = running.submit("unknown", [b"a"], seconds=0.5)
    running.submit("known", [b"b"]).result(timeout=2)
    with pytest.raises(PublishFailed, match="unknown: no metadata"):
        lost.result(timeout=2)
    assert running.rounds.stats.failed == 1


def test_records_wait_for_a_topic_that_is_made_later(start: Start) -> None:
    link = FakeLink()
    running = start(link)
    waiting = running.submit("later", [b"a", b"b"])
    time.sleep(0.2)
    assert running.rounds.outage is not None
    link.topics.add("later")
    waiting.result(timeout=2)
    assert link.taken == [b"a", b"b"]
    assert running.rounds.outage is None


def test_a_failed_record_is_sent_again_and_only_that_one(start: Start) -> None:
    link = FakeLink(script=[True, False, False])
    running = start(link)
    running.submit("known", [b"a", b"b", b"c"]).result(timeout=2)
    assert link.taken == [b"a", b"b", b"c"]
    assert running.rounds.stats.acknowledged == 3


def test_a_record_that_is_refused_for_ever_is_named_and_the_others_arrive(start: Start) -> None:
    link = FakeLink(script=[True, False])
    running = start(link)
    with pytest.raises(NeverPublished, match="for known can never be sent: 1 MB") as told:
        running.submit("known", [b"a", b"large", b"b"]).result(timeout=2)
    assert [record.value for record in told.value.refused] == [b"large"]
    assert link.taken == [b"a", b"b"]
    assert running.rounds.stats.failed == 1


def test_a_record_without_an_answer_is_not_acknowledged(start: Start) -> None:
    running = start(FakeLink(script=[None]))
    with pytest.raises(PublishFailed, match="in time"):
        running.submit("known", [b"a"], seconds=0.3).result(timeout=2)


def test_a_first_caller_who_waits_in_vain_is_told_to_all(start: Start) -> None:
    link = FakeLink(script=[True, None])
    running = start(link)
    running.submit("known", [b"a"]).result(timeout=2)
    with pytest.raises(PublishFailed, match="in time"):
        running.submit("known", [b"b"], seconds=0.2).result(timeout=2)
    assert running.rounds.outage == "no answer"
    running.submit("known", [b"c"]).result(timeout=2)
    assert running.rounds.outage is None


def test_one_silent_record_among_acknowledged_ones_is_no_outage(start: Start) -> None:
    running = start(FakeLink(script=[None]))
    silent = running.submit("known", [b"a"], seconds=0.4)
    while not silent.done():
        running.submit("known", [b"b"]).result(timeout=2)
    assert silent.exception() is not None
    assert running.rounds.outage is None


def test_a_link_that_stays_silent_is_replaced(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("producers.rounds._STALLED_SECONDS", 0.3)
    link = FakeLink(script=[None])
    running = start(link)
    running.submit("known", [b"a"]).result(timeout=3)
    assert link.closed
    assert link.taken == [b"a"]


def test_a_bug_in_the_link_does_not_end_the_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    link = FakeLink()
    broken = [True]

    def flush(timeout: float) -> None:
        if broken:
            broken.clear()
            raise RuntimeError("unexpected")

    monkeypatch.setattr(link, "flush", flush)
    start(link).submit("known", [b"a"]).result(timeout=2)
