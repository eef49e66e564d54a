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


def test_all_loggers_of_a_library_are_meant_and_no_other(caplog: pytest.LogCaptureFixture) -> None:
    names = ("chatty", "chatty.client", "chattyness")
    loggers = [logging.getLogger(name) for name in names]
    pass_once_a_minute("chatty")
    for logger in loggers * 2:
        logger.warning("from %s", logger.name)
    assert [record.name for record in caplog.records].count("chattyness") == 2
    assert len(caplog.records) == 3
