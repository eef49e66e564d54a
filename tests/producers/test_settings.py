"""Settings: a bad value is named at the start, the secret is made once."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from producers.settings import ProducerSettings, SettingsError, load_secret, load_settings


def test_defaults_need_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ProducerSettings.model_fields:
        monkeypatch.delenv(f"RACELINE_{name.upper()}", raising=False)
    settings = load_settings()
    assert (settings.kafka, settings.host, settings.port) == ("127.0.0.1:9092", "127.0.0.1", 8080)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RACELINE_PORT", "99999"),
        ("RACELINE_PORT", "web"),
        ("RACELINE_SPOOL", "sometimes"),
        ("RACELINE_KAFKA", "localhost"),
        ("RACELINE_SPOOL_MAX_MB", "0"),
        ("RACELINE_DELIVERY_TIMEOUT", "-1"),
    ],
)
def test_bad_value_is_named_in_one_sentence(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert str(error.value).startswith(f"{name}={value}: ")
    assert "\n" not in str(error.value)


def test_bad_secret_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RACELINE_SECRET", "short")
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert "short" not in str(error.value).removeprefix("RACELINE_SECRET=...: ").replace("too short", "")


def test_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    settings = ProducerSettings(data_dir=tmp_path / "new")
    secret = load_secret(settings)
    assert len(secret) == 64
    assert load_secret(settings) == secret
    assert stat.S_IMODE((tmp_path / "new" / "secret").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["secret"]


def test_secret_of_the_environment_wins(tmp_path: Path) -> None:
    settings = ProducerSettings(data_dir=tmp_path, secret=SecretStr("0123456789abcdef"))
    assert load_secret(settings) == b"0123456789abcdef"
    assert list(tmp_path.iterdir()) == []


def test_empty_secret_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("\n")
    with pytest.raises(SettingsError, match="0 bytes"):
        load_secret(ProducerSettings(data_dir=tmp_path))
