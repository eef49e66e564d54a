"""`make schemas`: schemas/json/<topic>.json, each topic's message as a JSON Schema, for readers in other languages."""

import json
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from schemas.topics import BUCKETS, PERSONS, TOPICS, Topic
from schemas.touches import Barrier

FOLDER: Final = Path(__file__).resolve().parent.parent / "schemas" / "json"
_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
# Barriers pass along with the messages that they follow.
PASSED_BY_BARRIERS: Final = frozenset({PERSONS.name, BUCKETS.name})


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for topic in TOPICS:
        (FOLDER / f"{topic.name}.json").write_text(text(topic))


def adapter(topic: Topic) -> TypeAdapter[BaseModel]:
    """Reads whatever may stand on the topic."""
    messages: Any = topic.model | Barrier if topic.name in PASSED_BY_BARRIERS else topic.model
    return TypeAdapter(messages)


def text(topic: Topic) -> str:
    schema: dict[str, Any] = {"$schema": _DIALECT, **adapter(topic).json_schema()}
    schema["title"], schema["description"] = topic.name, f"{topic.description}; key: {topic.key}"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    main()
