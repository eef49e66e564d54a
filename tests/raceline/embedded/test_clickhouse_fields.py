"""How long the fields of a request may be: what a server with its default settings takes, and no more."""

import pytest
from plain_http import Ask

from raceline.embedded.clickhouse import form


def test_url_of_half_a_mebibyte_is_taken(ask: Ask) -> None:
    longest = "x" * (128 << 10)
    sql = b"SELECT length({a:String}) + length({b:String}) + length({c:String}) + length({d:String})"
    reply = ask("POST", sql, param_a=longest, param_b=longest, param_c=longest, param_d=longest)
    assert reply.body == b"%d\n" % (512 << 10)


def form_of(**fields: str) -> tuple[bytes, dict[str, str]]:
    """A body and its headers, as clients send what is too long for a URL."""
    parts = (f'--b\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in fields.items())
    return "".join((*parts, "--b--\r\n")).encode(), {"Content-Type": "multipart/form-data; boundary=b"}


def test_a_form_takes_values_of_128_kib(ask: Ask) -> None:
    body, headers = form_of(query="SELECT length({a:String})", param_a="x" * (128 << 10))
    assert ask("POST", body, headers).body == b"%d\n" % (128 << 10)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"param_a": "x" * ((128 << 10) + 1)}, "Field value too long"),
        ({"query": "SELECT '" + "x" * (128 << 10) + "'"}, "Field value too long"),
        ({"param_" + "a" * 4091: ""}, "Field name too long"),
        ({f"param_{number}": "" for number in range(1000)}, "Too many form fields"),
    ],
)
def test_fields_that_a_server_refuses_are_refused(ask: Ask, fields: dict[str, str], said: str) -> None:
    asked = {"query": "SELECT 1", **fields}
    for reply in (ask("POST", *form_of(**asked)), ask("POST", **asked)):
        assert (reply.status, reply.headers["x-clickhouse-exception-code"]) == (500, "1000")
        assert reply.text == f"Poco::Exception. Code: 1000, e.code() = 0, HTML Form Exception: {said}\n"


def test_escapes_count_in_a_url_and_not_in_a_form(ask: Ask) -> None:
    spaces = {"query": "SELECT length({a:String})", "param_a": "ü" * (30 << 10)}
    assert ask("POST", **spaces).headers["x-clickhouse-exception-code"] == "1000"
    assert ask("POST", *form_of(**spaces)).body == b"%d\n" % (60 << 10)


def test_the_limits_are_those_of_the_engines_version(ask: Ask) -> None:
    names = ("http_max_fields", "http_max_field_name_size", "http_max_field_value_size")
    sql = f"SELECT default FROM system.settings WHERE name IN {names} ORDER BY name"
    assert ask("POST", sql.encode()).text.split() == [
        str(form.LONGEST_NAME),
        str(form.LONGEST_VALUE),
        str(form.MOST_FIELDS),
    ]


def test_url_of_more_than_a_mebibyte_is_refused(ask: Ask) -> None:
    longest = "x" * (128 << 10)
    assert ask("POST", b"SELECT 1", **{f"param_a{number}": longest for number in range(8)}).status == 400


def test_statement_of_more_than_256_kib_is_refused(ask: Ask) -> None:
    assert ask("POST", b"SELECT length('" + b"x" * (250 << 10) + b"')").body == b"256000\n"
    refused = ask("POST", b"SELECT length('" + b"x" * (256 << 10) + b"')")
    assert (refused.status, refused.headers["x-clickhouse-exception-code"]) == (400, "62")
    assert "Max query size exceeded" in refused.text
