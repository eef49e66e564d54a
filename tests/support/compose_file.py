"""docker-compose.yml as the tests read it: services with their defaults merged and their variables put in."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[2]
TEXT: Final = (ROOT / "docker-compose.yml").read_text()
_VARIABLE: Final = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")

# What .env must hold, with values that are not secrets.
VARIABLES: Final[Mapping[str, str]] = {
    name: f"value-of-{name.lower()}" for name in sorted(set(re.findall(r"\$\{(\w+):\?", TEXT)))
}


@dataclass(frozen=True)
class Service:
    name: str
    values: Mapping[str, Any]

    @property
    def environment(self) -> dict[str, str]:
        found: dict[str, str] = self.values.get("environment", {})
        return found

    @property
    def health_command(self) -> list[str]:
        """As an argument vector."""
        kind, *words = self.values["healthcheck"]["test"]
        return ["sh", "-c", *words] if kind == "CMD-SHELL" else words

    @property
    def process(self) -> list[str]:
        """What runs in a container of our own image."""
        return [*self.values.get("entrypoint", ["raceline"]), *self.values.get("command", [])]


def services(variables: Mapping[str, str] = VARIABLES) -> dict[str, Service]:
    """By name. Raises KeyError, with the message of the file, where a variable that is required is missing."""
    merged = yaml.safe_load(TEXT)["services"]
    return {name: Service(name, _filled(values, variables)) for name, values in merged.items()}


def replaced(words: Sequence[str], changes: Mapping[str, str]) -> list[str]:
    """With other addresses, so that what was written for a container can run beside the tests. Each must occur."""
    for old in changes:
        assert any(old in word for word in words), f"{old} does not occur in {words}"
    any_old = re.compile("|".join(map(re.escape, changes)))  # in one pass: a new address may contain another old one
    return [any_old.sub(lambda found: changes[found[0]], word) for word in words]


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return _VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, rule, text = found.groups()
    if name is None:
        return "$"
    if not variables.get(name) and rule == "?":
        raise KeyError(text)
    return variables.get(name) or text or ""
