"""Examples and JSON Schemas of all topics, against the models that define them."""

import json
from pathlib import Path
from typing import Final

import pytest
from pydantic import ValidationError

from schemas.classified import ClassifiedEvent
from schemas.events import Event, event_json
from schemas.rejection import EXPLANATIONS, DeadLetter, Rejection, RejectReason, dead_letter_id
from schemas.topics import CLASSIFIED, DEAD_LETTERS, EVENTS, TOPICS, Topic, bucket_key, person_key
from schemas.touches import BucketTouch, PersonTouch
from scripts.json_schemas import FOLDER, adapter, text
from stream_processors.race.pipeline import classify

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "schemas" / "examples"
every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def examples(topic: Topic) -> list[Path]:
    return sorted((EXAMPLES / topic.name).glob("*.json"))


@every_topic
def test_a_topic_has_examples_and_all_are_valid(topic: Topic) -> None:
    assert examples(topic)
    for path in examples(topic):
        adapter(topic).validate_json(path.read_text())


def test_examples_stand_in_folders_of_topics() -> None:
    assert {path.name for path in EXAMPLES.iterdir()} == {topic.name for topic in TOPICS}


@every_topic
def test_an_example_with_an_unknown_field_is_refused(topic: Topic) -> None:
    for path in examples(topic):
        with pytest.raises(ValidationError):
            adapter(topic).validate_python({**json.loads(path.read_text()), "surprise": 1})


@pytest.mark.parametrize("path", examples(EVENTS), ids=lambda path: path.stem)
def test_an_example_event_is_accepted_and_written_as_it_stands(path: Path) -> None:
    written = event_json(Event.model_validate_json(path.read_text()))
    assert not isinstance(classify(written), Rejection)
    read_again = Event.model_validate_json(written)
    assert read_again == Event.model_validate_json(path.read_text())


def test_the_classified_example_is_what_classify_concludes() -> None:
    found = classify((EXAMPLES / EVENTS.name / "page_view.json").read_bytes())
    assert not isinstance(found, Rejection)
    stated = ClassifiedEvent.model_validate_json((EXAMPLES / CLASSIFIED.name / "page_view.json").read_text())
    assert (stated.stage, stated.rule_id, stated.reason) == (found.rule.stage, found.rule.id, found.rule.reason)
    assert (stated.channel, stated.media, stated.device) == (found.channel.name, found.channel.media, found.device)
    assert stated.person_id == found.node


def test_the_dead_letter_example_was_really_refused() -> None:
    [path] = examples(DEAD_LETTERS)
    letter = DeadLetter.model_validate_json(path.read_text())
    refused = classify(letter.payload.encode())
    assert isinstance(refused, Rejection)
    assert refused.reason is letter.reason
    assert letter.dead_letter_id == dead_letter_id(letter.payload.encode(), letter.reason)


@every_topic
def test_the_json_schema_is_up_to_date(topic: Topic) -> None:
    assert (FOLDER / f"{topic.name}.json").read_text() == text(topic), "run `make schemas`"


def test_there_is_no_json_schema_of_a_topic_that_is_gone() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {topic.name for topic in TOPICS}


def test_every_reason_is_explained() -> None:
    assert EXPLANATIONS.keys() == set(RejectReason)
    assert all(sentence.endswith(".") for sentence in EXPLANATIONS.values())


def test_keys_of_one_node_and_one_bucket_stay_the_same() -> None:
    """They decide who owns what: another key would need all workers to change at once."""
    assert person_key(PersonTouch(site_id="demo", node="v:1")) == b"demo\nv:1"
    bucket = BucketTouch.model_validate({"site_id": "demo", "minute": "2026-03-02T09:15:00Z"})
    assert bucket_key(bucket) == b"demo\n1772442900"
