"""What is said again and again."""

import logging

import pytest

from stream_processors.repetition import Repetition, pass_once_a_minute


def test_a_message_passes_once_in_its_time_whatever_its_numbers(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    logger = logging.getLogger("repeating.here")
    repetition = Repetition(60.0, lambda: now[0])
    logger.addFilter(repetition)
    for seconds in (0.0, 0.1, 59.9, 60.0):
        now[0] = seconds
        logger.warning("no node %s", seconds)
        logger.error("no node %s", seconds)
    logger.removeFilter(repetition)
    assert [record.getMessage() for record in caplog.records] == ["no node 0.0", "no node 0.0"] + ["no node 60.0"] * 2


@pytest.mark.parametrize(
    ("first", "second"),
    [("race.events", "race.persons"), ("kafka-1", "kafka-2"), ("10.0.0.1", "10.0.0.2"), (1, 2)],
)
def test_another_topic_or_node_is_another_message(first: object, second: object) -> None:
    repetition = Repetition()
    assert [passes(repetition, named) for named in (first, second, first, second)] == [True, True, False, False]


@pytest.mark.parametrize("text", ["%s ms passed", "timed out after %s.", "<Connection at 0x%s> closed", "errno %s: no"])
def test_numbers_in_a_text_do_not_matter(text: str) -> None:
    repetition = Repetition()
    assert [passes(repetition, text % number) for number in (1, 27, 3)] == [True, False, False]


def test_it_remembers_only_so_many_texts() -> None:
    repetition = Repetition()
    assert all(passes(repetition, number) for number in range(5000))
    assert len(repetition._passed_at) == 1000
    assert not passes(repetition, 4999)


def passes(repetition: Repetition, argument: object) -> bool:
    record = logging.LogRecord("aiokafka", logging.ERROR, __file__, 1, "cannot reach %s", (argument,), None)
    return repetition.filter(record)


def test_all_loggers_of_a_library_are_meant_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    names = ("chatty", "chatty.client", "chattyness")
    loggers = [logging.getLogger(name) for name in names]
    pass_once_a_minute("chatty")
    for logger in loggers * 2:
        logger.warning("no node")
    assert [record.name for record in caplog.records].count("chattyness") == 2
    assert len(caplog.records) == 3
