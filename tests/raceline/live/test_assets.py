"""The page's files: all there, all ours or vendored unchanged, nothing inline, nothing from elsewhere."""

import gzip
import hashlib
import http.client
import json
import re

import pytest

from raceline.live.assets import MEDIA_TYPES, STATIC
from tests.raceline.live.conftest import Live

OWN = sorted(name for name in MEDIA_TYPES if name.endswith((".html", ".css", ".js")) and name != "echarts.min.js")


def get(live: Live, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", live.port, timeout=10)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        return response.status, found, response.read()
    finally:
        connection.close()


def test_vendored_files_have_their_recorded_checksum() -> None:
    vendored = json.loads((STATIC / "vendor.json").read_text())
    for name, record in vendored.items():
        assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == record["sha256"]
    assert f'version="{vendored["echarts.min.js"]["version"]}"'.encode() in (STATIC / "echarts.min.js").read_bytes()
    assert "Apache License" in (STATIC / "ECHARTS-LICENSE").read_text()
    assert "Apache ECharts" in (STATIC / "ECHARTS-NOTICE").read_text()


def test_every_file_of_the_folder_is_served_except_the_record() -> None:
    assert {path.name for path in STATIC.iterdir()} - {"vendor.json"} == set(MEDIA_TYPES)


@pytest.mark.parametrize("name", OWN)
def test_own_files_ask_nobody_else_and_write_no_html(name: str) -> None:
    text = (STATIC / name).read_text()
    foreign = [
        found for found in re.findall(r"(?:https?:)?//[a-z0-9][^\s\"'`]*", text) if "www.w3.org/2000/svg" not in found
    ]
    assert foreign == []
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", text)
    assert len(text.splitlines()) <= 300


def test_the_page_has_no_inline_script_or_style() -> None:
    page = (STATIC / "index.html").read_text()
    assert re.findall(r"<script[^>]*>\s*[^<\s]", page) == []
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page)


def test_every_reference_of_the_page_and_its_modules_is_served() -> None:
    for name in OWN:
        for reference in re.findall(r"/static/([\w.-]+)", (STATIC / name).read_text()):
            assert reference in MEDIA_TYPES


@pytest.mark.parametrize("name", sorted(MEDIA_TYPES))
def test_files_come_with_their_type_and_the_security_headers(live: Live, name: str) -> None:
    status, headers, body = get(live, "/" if name == "index.html" else f"/static/{name}")
    assert (status, headers["content-type"]) == (200, MEDIA_TYPES[name])
    assert headers["content-security-policy"].startswith("default-src 'self';")
    assert headers["x-content-type-options"] == "nosniff"
    assert body == (STATIC / name).read_bytes()


def test_a_file_that_the_browser_has_is_not_sent_again(live: Live) -> None:
    _, headers, _ = get(live, "/static/echarts.min.js")
    status, _, body = get(live, "/static/echarts.min.js", If_None_Match=f'"x", {headers["etag"]}')
    assert (status, body) == (304, b"")


def test_a_browser_that_can_unpack_gets_it_packed(live: Live) -> None:
    _, headers, body = get(live, "/static/echarts.min.js", Accept_Encoding="gzip, br")
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == (STATIC / "echarts.min.js").read_bytes()


@pytest.mark.parametrize("name", ["vendor.json", "nothing.js", "..%2Fassets.py", "%2e%2e/assets.py", ""])
def test_no_other_file_is_served(live: Live, name: str) -> None:
    assert get(live, f"/static/{name}")[0] == 404


@pytest.mark.parametrize("path", ["/", "/static/live.js", "/api/live", "/api/live/stream"])
@pytest.mark.parametrize("host", ["attacker.example", "127.0.0.1.attacker.example", "localhost.attacker.example:80"])
def test_a_foreign_name_that_points_here_is_refused(live: Live, path: str, host: str) -> None:
    assert get(live, path, Host=host)[0] == 400


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8080", "[::1]:8080"])
def test_loopback_names_are_answered(live: Live, host: str) -> None:
    assert get(live, "/", Host=host)[0] == 200
