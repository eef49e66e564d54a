"""The collector over real HTTP: what it takes, what it refuses and why, and that a 200 means safe."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.events import Event
from schemas.topics import EVENTS

Serve = Callable[..., Any]


def event(**fields: object) -> dict[str, Any]:
    return {"event_id": str(uuid4()), "name": "page_view", "visitor_id": "v1", **fields}


def test_accepted_event_is_in_the_spool_and_on_its_way_to_kafka(served: Any) -> None:
    sent = event(occurred_at="2026-03-01T10:00:00+02:00", sent_at=1_772_352_000_000, properties={"value": 1.5})
    answer = served.post(sent, user_agent="Mozilla/5.0 (Test)", accept_language="de-DE,de;q=0.9")
    assert (answer.status, answer.json) == (200, {"accepted": 1, "refused": []})
    (kept,) = [each for each in served.spooled() if each["event_id"] == sent["event_id"]]
    assert kept in served.publisher.values(EVENTS.name)
    stored = Event.model_validate_json(json.dumps(kept))
    assert stored.occurred_at == datetime.fromisoformat("2026-03-01T08:00:00Z")
    assert stored.sent_at == datetime.fromtimestamp(1_772_352_000, stored.occurred_at.tzinfo)
    assert (stored.site_id, stored.source, stored.properties) == ("demo", "website", {"value": 1.5})
    assert (stored.context.ip, stored.context.user_agent, stored.context.locale) == (
        "127.0.0.0",
        "Mozilla/5.0 (Test)",
        "de-DE",
    )


def test_event_without_id_and_time_gets_them_here(served: Any) -> None:
    assert served.post({"name": "ping_without_id"}).status == 200
    (kept,) = [each for each in served.spooled() if each["name"] == "ping_without_id"]
    assert UUID(kept["event_id"]).version == 7
    assert kept["occurred_at"] == kept["received_at"]


def test_write_key_may_be_a_header(served: Any) -> None:
    assert served.post(event(), "/v1/events", x_raceline_key="demo").status == 200


def test_array_is_judged_event_by_event(served: Any) -> None:
    many = [event(), event(name="Not Snake"), event(), 5]
    answer = served.post(many)
    assert answer.status == 200
    assert answer.json["accepted"] == 2
    assert [(each["index"], each["reason"]) for each in answer.json["refused"]] == [
        (1, "invalid_event"),
        (3, "invalid_event"),
    ]
    kept = {each["event_id"] for each in served.spooled()}
    assert {many[0]["event_id"], many[2]["event_id"]} <= kept  # type: ignore[index]
    assert many[1]["event_id"] not in kept  # type: ignore[index]
    assert [each["event_id"] for each in served.dead_letters()].count(many[1]["event_id"]) == 1  # type: ignore[index]


def test_array_without_any_good_event_is_a_400(served: Any) -> None:
    answer = served.post([event(name="Not Snake"), event(event_id="7")])
    assert (answer.status, answer.json["accepted"], len(answer.json["refused"])) == (400, 0, 2)


def test_empty_array_is_fine(served: Any) -> None:
    assert served.post([]).json == {"accepted": 0, "refused": []}


DEEP = json.loads('{"a":' * 100 + "1" + "}" * 100)
BOMB = json.loads("[" * 400 + "]" * 400)

REFUSED = {
    "unknown field": (event(colour="red"), "invalid_event", "colour"),
    "no name": ({"visitor_id": "v"}, "invalid_event", "name"),
    "name of a wrong type": (event(name=["a"]), "invalid_event", "name"),
    "visitor id of a wrong type": (event(visitor_id=7), "invalid_event", "visitor_id"),
    "control character in an id": (event(visitor_id="a\nb"), "invalid_event", "visitor_id"),
    "event id that is no UUID": (event(event_id="7"), "invalid_event", "event_id"),
    "time without a zone": (event(occurred_at="2026-03-01T10:00:00"), "invalid_event", "occurred_at"),
    "time of a wrong type": (event(occurred_at=True), "invalid_event", "occurred_at"),
    "time out of all bounds": (event(sent_at=10**30), "invalid_event", "sent_at"),
    "time that leaves the calendar in UTC": (
        event(occurred_at="0001-01-01T00:00:00+10:00"),
        "invalid_event",
        "occurred",
    ),
    "context of a wrong type": (event(context=[]), "invalid_event", "context"),
    "unknown field in the context": (event(context={"mood": "good"}), "invalid_event", "context.mood"),
    "properties of a wrong type": (event(properties="x"), "invalid_event", "properties"),
    "source of others": (event(source="crm"), "invalid_event", "source"),
    "imported over HTTP": (event(context={"imported": True}), "invalid_event", "context.imported"),
    "site of another key": (event(site_id="other"), "invalid_event", "site_id"),
    "barrier": (event(name="pipeline_barrier"), "invalid_event", "reserved"),
    "probe": (event(name="raceline_probe"), "invalid_event", "reserved"),
    "nested too deep": (event(properties=DEEP), "invalid_event", "nested"),
    "nested far too deep": (event(properties={"a": BOMB}), "invalid_event", "nested"),
    "NUL in a name of a property": (event(properties={"a\0": 1}), "invalid_json", "NUL"),
    "version": (event(schema_version=2), "unknown_version", "schema_version"),
    "NUL in a text": (event(properties={"a": ["b\0"]}), "invalid_json", "NUL"),
    "too large": (event(properties={"a": "x" * 300_000}), "too_large", "bytes"),
}


@pytest.mark.parametrize(("sent", "reason", "detail"), REFUSED.values(), ids=REFUSED.keys())
def test_event_is_refused_with_its_reason_and_kept_as_a_dead_letter(
    served: Any, sent: dict[str, Any], reason: str, detail: str
) -> None:
    before = len(served.dead_letters())
    answer = served.post(sent)
    assert answer.status == 400
    assert answer.json["error"] == reason
    assert detail in answer.json["detail"]
    assert answer.json["refused"][0]["index"] == 0
    (letter,) = served.dead_letters()[before:]
    assert (letter["reason"], letter["refused_by"], letter["site_id"]) == (reason, "collector", "demo")
    assert letter["payload"].startswith("{")
    assert served.collector.refused[reason] > 0


def test_unknown_key_is_refused(served: Any) -> None:
    for path in ("/v1/events", "/v1/events?key=", "/v1/events?key=nobody"):
        answer = served.post(event(), path)
        assert (answer.status, answer.json["error"]) == (401, "unknown_key")


def test_wrong_method_is_refused(served: Any) -> None:
    answer = served.request("GET", "/v1/events?key=demo")
    assert (answer.status, answer.json["error"], answer.headers["allow"]) == (
        405,
        "method_not_allowed",
        "POST, OPTIONS",
    )


def test_emails_are_hashed_and_ips_cut_in_spool_kafka_and_dead_letter(served: Any) -> None:
    mail = "Jane.Doe@Shop.example"
    context = {"url": f"https://a.example/?mail={mail}&utm_source=x#{mail}"}
    good = event(user_id=mail, session_id=f" {mail.lower()} ", context=context)
    bad = event(visitor_id=mail, colour=mail, source="server", context=context | {"ip": "203.0.113.77"})
    assert served.post([good, bad]).json["accepted"] == 1
    everything = json.dumps([served.spooled(), [repr(record) for record in served.publisher.taken]]).lower()
    assert "jane.doe" not in everything
    assert "203.0.113.77" not in everything
    (kept,) = [each for each in served.spooled() if each["event_id"] == good["event_id"]]
    (letter,) = [each for each in served.dead_letters() if each["event_id"] == bad["event_id"]]
    assert kept["user_id"] == kept["session_id"] == json.loads(letter["payload"])["visitor_id"]
    assert kept["user_id"].startswith("eh_")
    assert kept["context"]["url"] == "https://a.example/?utm_source=x"


def test_forwarded_addresses_are_not_believed(served: Any) -> None:
    sent = event(context={"ip": "198.51.100.9"})
    served.post(sent, x_forwarded_for="198.51.100.7")
    (kept,) = [each for each in served.spooled() if each["event_id"] == sent["event_id"]]
    assert kept["context"]["ip"] == "127.0.0.0"


def test_server_speaks_for_its_visitor(served: Any) -> None:
    sent = event(source="server", context={"ip": "198.51.100.9"})
    served.post(sent, user_agent="python-requests/2")
    (kept,) = [each for each in served.spooled() if each["event_id"] == sent["event_id"]]
    assert kept["context"] == {"ip": "198.51.100.0", "imported": False}


def test_full_spool_is_a_503_that_says_when_to_come_back(serve: Serve) -> None:
    served = serve(max_bytes=1000)
    answers = [served.post(event()) for _ in range(5)]
    assert answers[0].status == 200
    assert (answers[-1].status, answers[-1].json["error"]) == (503, "unavailable")
    assert answers[-1].headers["retry-after"] == "5"
    assert len(served.spooled()) == sum(answer.status == 200 for answer in answers)


def test_fallback_spools_only_while_kafka_is_down(serve: Serve) -> None:
    served = serve("fallback")
    assert served.post(event(name="first")).status == 200
    assert served.spooled() == []
    served.publisher.up = False
    assert served.post(event(name="second")).status == 200
    assert [each["name"] for each in served.spooled()] == ["second"]
    assert [each["name"] for each in served.publisher.values(EVENTS.name)] == ["first"]


def test_fallback_is_a_503_when_kafka_is_down_and_the_spool_full(serve: Serve) -> None:
    served = serve("fallback", max_bytes=10)
    served.publisher.up = False
    assert served.post(event()).status == 503
    served.publisher.up = True
    assert served.post(event()).status == 200


def test_any_site_may_send_and_read_the_answer(served: Any) -> None:
    wished = "content-type,x-raceline-key"
    preflight = served.request(
        "OPTIONS", "/v1/events", origin="https://a.example", access_control_request_headers=wished
    )
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["access-control-allow-headers"] == wished
    for answer in (
        preflight,
        served.post(event(), origin="https://a.example"),
        served.post(b"", origin="https://a.example"),
    ):
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        assert answer.headers["vary"] == "origin"


def test_tracker_is_served_packed_and_once(served: Any) -> None:
    plain = served.request("GET", "/tracker.js")
    packed = served.request("GET", "/tracker.js", accept_encoding="gzip")
    assert b"raceline" in plain.body
    assert gzip.decompress(packed.body) == plain.body
    assert "max-age" in plain.headers["cache-control"]
    again = served.request("GET", "/tracker.js", if_none_match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_probes_and_metrics(serve: Serve) -> None:
    served = serve()
    served.post([event(), event(name="Not Snake")])
    assert served.request("GET", "/healthz").status == 200
    served.publisher.up = False
    assert served.request("GET", "/readyz").json == {"ready": True, "kafka": "down"}
    text = served.request("GET", "/metrics").body.decode()
    assert "\nraceline_events_accepted_total 1\n" in text
    assert '\nraceline_refused_total{reason="invalid_event"} 1\n' in text
    assert '\nraceline_publish_seconds_bucket{le="+Inf"} 0\n' in text


def test_not_ready_when_nothing_can_be_taken(serve: Serve) -> None:
    served = serve(max_bytes=1)
    served.publisher.up = False
    served.collector.delivery.spool._folder_bytes = 1
    assert served.request("GET", "/readyz").status == 503


def test_what_is_no_browser_does_not_name_the_visitors_browser(served: Any) -> None:
    sent = event()
    served.post(sent, user_agent="curl/8.5.0")
    (kept,) = [each for each in served.spooled() if each["event_id"] == sent["event_id"]]
    assert "user_agent" not in kept["context"]
