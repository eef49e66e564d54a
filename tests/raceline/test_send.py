"""`raceline send` without anybody to send to."""

import socket
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from raceline import send
from raceline.cli import app


def test_no_kafka_is_a_sentence_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("RACELINE_KAFKA", f"127.0.0.1:{port}")
    monkeypatch.setattr(send, "_CONNECT_SECONDS", 0.3)
    file = tmp_path / "events.ndjson"
    file.write_text('{"name": "page_view", "visitor_id": "v", "site_id": "demo"}\n')
    started = time.monotonic()
    result = CliRunner().invoke(app, ["send", str(file), "--data-dir", str(tmp_path / "data")])
    assert result.exit_code == 2
    assert f"cannot connect to 127.0.0.1:{port}" in result.output
    assert "Is the stack running?" in result.output
    assert time.monotonic() - started < 5.0
