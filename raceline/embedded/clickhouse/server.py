"""ClickHouse's HTTP interface as an ASGI application: `/ping`, `/`, and queries."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qsl

from raceline.embedded.clickhouse.body import Body
from raceline.embedded.clickhouse.encoding import decoder
from raceline.embedded.clickhouse.engine import Engine
from raceline.embedded.clickhouse.errors import QueryFailedError
from raceline.embedded.clickhouse.execution import Execution
from raceline.embedded.clickhouse.form import form_fields
from raceline.embedded.clickhouse.guard import Guard
from raceline.embedded.clickhouse.outgoing import Outgoing
from raceline.embedded.clickhouse.query import Query, read_query
from raceline.embedded.clickhouse.reply import error_fields, headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_OK: Final = {"/ping": b"Ok.\n", "/replicas_status": b"Ok.\n"}


@dataclass
class ClickHouseApp:
    """Queries run on the executor's threads, one each; the event loop only moves bytes."""

    engine: Engine
    guard: Guard
    executor: Executor
    max_body_bytes: int
    clock: Callable[[], float] = time.monotonic
    new_id: Callable[[], str] = field(default=lambda: str(uuid.uuid4()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return None
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        stranger = self.guard.stranger(fields)
        if stranger is not None:
            return await _answer(send, 403, f"{stranger}\n".encode())
        if scope["path"] in _OK:
            return await _answer(send, 200, _OK[scope["path"]])
        if scope["path"] != "/":
            return await _answer(send, 404, b"There is no such page here; queries go to /\n")
        url = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, errors="surrogateescape"))
        if scope["method"] in {"GET", "HEAD"} and "query" not in url:
            return await _answer(send, 200, b"Ok.\n")
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return await _answer(send, 405, b"Queries come by GET or POST\n")
        try:
            self.guard.refuse_unknown(fields, url)
            query = read_query(scope["method"], url, fields, self.new_id())
            await self._query(query, fields, receive, send)
        except QueryFailedError as error:
            await _answer(send, error.status, error.text.encode() + b"\n", error_fields(error))
        return None

    async def _query(self, query: Query, fields: Mapping[str, str], receive: Receive, send: Send) -> None:
        body = Body(self.engine.bodies, decoder(fields.get("content-encoding", "")), self.max_body_bytes)
        try:
            if not await _receive_all(receive, body):
                return
            content_type = fields.get("content-type", "")
            if content_type.startswith("multipart/form-data"):
                query = _with_form(query, form_fields(content_type, body))
            loop = asyncio.get_running_loop()
            outgoing = Outgoing(send, loop, fields.get("accept-encoding", "") if query.compressed else "")
            await loop.run_in_executor(self.executor, self._run, query, body, outgoing)
        finally:
            body.close()

    def _run(self, query: Query, body: Body, outgoing: Outgoing) -> None:
        """On a worker thread: from the statement to the last byte of the answer."""
        execution = Execution(query, body)
        with self.engine.connection(query, self.clock()) as connection:
            outgoing.pass_on(execution, execution.pieces(connection))
        outgoing.finish()


async def _receive_all(receive: Receive, body: Body) -> bool:
    """Take the whole body; False when the client left."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        if chunk := message.get("body", b""):
            body.add(chunk)
        if not message.get("more_body", False):
            body.finish()
            return True


def _with_form(query: Query, form: Mapping[str, str]) -> Query:
    params = {name[6:]: value for name, value in form.items() if name.startswith("param_")}
    sql = "\n".join(filter(None, (query.sql, form.get("query", ""))))
    return replace(query, sql=sql, params={**query.params, **params}, body_is_form=True)


async def _answer(send: Send, status: int, body: bytes, extra: Mapping[str, str] | None = None) -> None:
    fields = {"Content-Type": "text/plain; charset=UTF-8", "Content-Length": str(len(body)), **(extra or {})}
    await send({"type": "http.response.start", "status": status, "headers": headers(fields)})
    await send({"type": "http.response.body", "body": body})
