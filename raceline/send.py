"""`raceline send`: a file's events, through the spool where the stack has one, into Kafka."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from producers.files.formats import reader_for
from producers.files.items import FileRefusal, Item, ReadOptions, Skipped, UnreadableFile
from producers.files.opening import opened
from producers.outgoing import OutgoingRecord, PublishFailed
from producers.publisher import Publisher, PublisherOptions
from producers.settings import ProducerSettings, load_secret
from producers.spool import Spool, SpoolFull, SpoolOptions
from raceline.settings import CommandSettings
from raceline.spooled import spool_folder
from raceline.stack import Stack
from schemas.events import Event, event_json
from schemas.topics import DEAD_LETTERS, EVENTS

MAPPINGS: Final = Path(__file__).resolve().parent.parent / "producers" / "files" / "mappings"
_DELIVERY_SECONDS: Final = 120.0
_CONNECT_SECONDS: Final = 5.0
_SPOOL_AT_ONCE: Final = 500


@dataclass(frozen=True)
class Sending:
    files: tuple[str, ...]
    format: str
    mapping: str | None = None
    site: str | None = None


@dataclass
class Summary:
    accepted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    first_refusals: list[str] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.accepted:,} events accepted, {self.refused.total():,} refused, {self.skipped.total():,} skipped."
        ]
        lines += [f"  skipped {count:,}: {reason}" for reason, count in self.skipped.most_common()]
        lines += [f"  refused {count:,}: {reason}" for reason, count in self.refused.most_common()]
        lines += [f"    {example}" for example in self.first_refusals]
        return "\n".join([*lines, *(["Refused rows: `raceline dead-letters list`."] if self.refused else [])])


def send_files(sending: Sending, settings: CommandSettings, console: Console) -> Summary:
    """Blocks until Kafka (or the spool and Kafka) has everything. Raises UnreadableFile, OSError, PublishFailed."""
    read = reader_for(sending.format)
    options = ReadOptions(
        now=datetime.now(UTC),
        secret=load_secret(ProducerSettings(data_dir=settings.data_dir)),
        site=sending.site,
        mapping=mapping_path(sending.mapping) if sending.mapping else None,
    )
    summary = Summary()
    with ExitStack() as stack:
        bar = stack.enter_context(_progress(console))
        publisher = Publisher(PublisherOptions(settings.kafka, delivery_timeout=_DELIVERY_SECONDS))
        publisher.start()
        stack.callback(publisher.close)
        _connected(publisher)
        spool = _spool(settings, stack)
        for path in sending.files:
            size = None if path == "-" else Path(path).stat().st_size
            task = bar.add_task("standard input" if path == "-" else escape(Path(path).name), total=size)
            # mypy cannot infer a lambda with a default
            with opened(path, lambda count, task=task: bar.advance(task, count)) as stream:  # type: ignore[misc]
                publisher.publish_all(_spooled(_records(read(stream, options), summary, options.now), spool))
    return summary


def mapping_path(name: str) -> Path:
    """A file, or the name of a shipped mapping."""
    for path in (Path(name), MAPPINGS / f"{name}.yaml"):
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.stem for path in MAPPINGS.glob("*.yaml")))
    raise UnreadableFile(f"no mapping {name}: neither a file nor one of the shipped ones ({shipped})")


def _connected(publisher: Publisher) -> None:
    """Raises PublishFailed when there is nobody to send to. Longer than a roll of the embedded broker takes."""
    deadline = time.monotonic() + _CONNECT_SECONDS
    while not publisher.connected:
        if time.monotonic() > deadline:
            raise PublishFailed(f"Kafka: {publisher.outage}. Is the stack running? `raceline up` starts one.")
        time.sleep(0.05)


def _records(items: Iterable[Item], summary: Summary, now: datetime) -> Iterator[OutgoingRecord]:
    for item in items:
        if isinstance(item, Event):
            summary.accepted += 1
            key = item.kafka_key()
            yield OutgoingRecord(EVENTS.name, key.encode() if key else None, event_json(item))
        elif isinstance(item, Skipped):
            summary.skipped[item.reason] += 1
        else:
            yield _refused(item, summary, now)


def _refused(item: FileRefusal, summary: Summary, now: datetime) -> OutgoingRecord:
    summary.refused[item.rejection.reason.value] += 1
    if len(summary.first_refusals) < 3:
        summary.first_refusals.append(f"line {item.line}: {item.rejection.detail}")
    letter = item.dead_letter(now)
    return OutgoingRecord(DEAD_LETTERS.name, letter.dead_letter_id.bytes, letter.model_dump_json().encode())


def _spooled(records: Iterator[OutgoingRecord], spool: Spool | None) -> Iterator[OutgoingRecord]:
    """Each record, after the spool has it: the embedded broker may be replaced before it was read."""
    if spool is None:
        yield from records
        return
    waiting: list[OutgoingRecord] = []
    for record in records:
        waiting.append(record)
        if len(waiting) >= _SPOOL_AT_ONCE:
            _append(spool, waiting)
            yield from waiting
            waiting = []
    _append(spool, waiting)
    yield from waiting


def _append(spool: Spool, records: list[OutgoingRecord]) -> None:
    lines = [record.value for record in records if record.topic == EVENTS.name]
    deadline = time.monotonic() + _DELIVERY_SECONDS
    while lines:
        try:
            spool.append(lines)
            return
        except SpoolFull:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)  # the supervisor deletes what is stored


def _spool(settings: CommandSettings, stack: ExitStack) -> Spool | None:
    if Stack.read(settings.data_dir) is None:
        return None
    spool = Spool(SpoolOptions(spool_folder(settings.data_dir), "send"))
    stack.callback(spool.close)
    return spool


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)
