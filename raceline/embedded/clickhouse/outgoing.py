"""The way of an answer from a worker thread to the client: held back until it is sure, then piece by piece."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from raceline.embedded.clickhouse.encoding import Encoder, encoder
from raceline.embedded.clickhouse.errors import QueryFailedError
from raceline.embedded.clickhouse.execution import Execution
from raceline.embedded.clickhouse.reply import answer_fields, failure_midway, headers, summary

# As long as an answer is shorter than this, a failure midway still becomes an error with its own status.
_HELD_BACK: Final = 4 << 20
_SEND_SECONDS: Final = 60.0
_log = logging.getLogger(__name__)
SERVER_NAME: Final = "raceline"


@dataclass
class Outgoing:
    """Called from a worker thread; blocks while the client reads slowly.

    `pass_on` keeps the end of the answer back for `finish`, so that the connection is free (a session unlocked) before
    the client knows the end and asks again.
    """

    send: Callable[[dict[str, Any]], Awaitable[None]]
    loop: asyncio.AbstractEventLoop
    accepted: str
    client_left: bool = False
    _last: Callable[[], None] | None = None

    def pass_on(self, execution: Execution, pieces: Iterator[bytes]) -> None:
        """Send all but the end. Raises QueryFailedError only while nothing is sent yet."""
        held: list[bytes] = []
        size = 0
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > _HELD_BACK:
                self._pass_on_long(execution, held, pieces)
                return
        self._last = partial(self._whole, execution, held)

    def finish(self) -> None:
        """Send the end; nothing where the answer broke off."""
        if self._last is not None:
            self._last()

    def _whole(self, execution: Execution, held: list[bytes]) -> None:
        encoding = encoder(self.accepted, sum(map(len, held)))
        body = b"".join([*map(encoding.encode, held), encoding.finish()])
        fields = {"Content-Length": str(len(body)), "X-ClickHouse-Summary": summary(execution.counts)}
        self._start(execution, encoding, fields)
        self._body(body, more=False)

    def _pass_on_long(self, execution: Execution, held: list[bytes], rest: Iterator[bytes]) -> None:
        encoding = encoder(self.accepted, None)
        tag = secrets.token_hex(8)
        self._start(execution, encoding, {"X-ClickHouse-Exception-Tag": tag})
        while held:
            self._body(encoding.encode(held.pop(0)), more=True)
        try:
            for piece in rest:
                if self.client_left:
                    return
                self._body(encoding.encode(piece), more=True)
        except QueryFailedError as error:
            # The status is sent. Clients of ClickHouse read the failure at the end of what came; to all others a
            # broken connection says that the answer is not whole.
            _log.warning("an answer broke off midway, code %s", error.code)
            self._body(encoding.encode(failure_midway(error, tag)) + encoding.finish(), more=True)
            return
        self._last = lambda: self._body(encoding.finish(), more=False)

    def _start(self, execution: Execution, encoding: Encoder, more: dict[str, str]) -> None:
        output_format = execution.output_format if execution.statement.gives_rows else None
        fields = answer_fields(output_format, execution.query.query_id, SERVER_NAME) | more
        if encoding.name is not None:
            fields["Content-Encoding"] = encoding.name
        self._call({"type": "http.response.start", "status": 200, "headers": headers(fields)})

    def _body(self, data: bytes, *, more: bool) -> None:
        self._call({"type": "http.response.body", "body": data, "more_body": more})

    def _call(self, message: dict[str, Any]) -> None:
        async def forward() -> None:
            await self.send(message)

        asyncio.run_coroutine_threadsafe(forward(), self.loop).result(_SEND_SECONDS)
