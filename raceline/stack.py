"""Where the parts of a running stack answer. `raceline up` writes it, every other command reads it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stack:
    kafka: str
    clickhouse_url: str
    collector_url: str
    generation: int = 0
    ready: bool = False  # everything has passed through once since the start

    def write(self, data_dir: Path) -> None:
        path = data_dir / "stack.json"
        draft = path.with_suffix(".json.new")
        draft.write_text(json.dumps(asdict(self), indent=2) + "\n")
        draft.replace(path)

    @classmethod
    def read(cls, data_dir: Path) -> "Stack | None":
        """None when no stack has run here."""
        try:
            return cls(**json.loads((data_dir / "stack.json").read_text()))
        except FileNotFoundError:
            return None
