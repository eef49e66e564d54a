"""A Dockerfile's steps, as far as ours use the syntax: comments, continued lines, words."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    name: str  # RUN, COPY, ...
    text: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.text)


@dataclass(frozen=True)
class Stage:
    base: str
    name: str | None
    steps: tuple[Step, ...]

    def all(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]


def stages(path: Path) -> list[Stage]:
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    steps = [
        Step(name.upper(), text.strip())
        for name, _, text in (line.partition(" ") for line in re.sub(r"\\\n", "", "\n".join(lines)).splitlines())
        if name
    ]
    starts = [number for number, step in enumerate(steps) if step.name == "FROM"]
    ends = [*starts[1:], len(steps)]
    return [_stage(steps[start], steps[start + 1 : end]) for start, end in zip(starts, ends, strict=True)]


def moved(text: str, folders: Mapping[str, str]) -> str:
    """The text with other folders than those of the image, wherever a path begins with one of them."""
    old = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, folders))})(?![\w.-])")
    return old.sub(lambda found: folders[found[0]], text)


def _stage(first: Step, steps: list[Step]) -> Stage:
    base, *named = first.words
    return Stage(base, named[1] if named else None, tuple(steps))
