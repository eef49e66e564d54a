"""ClickHouse's HTTP interface as an ASGI application: `/ping`, `/`, and queries."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Final

from raceline.embedded.clickhouse.body import Body
from raceline.embedded.clickhouse.encoding import decoder
from raceline.embedded.clickhouse.engine import Engine
from raceline.embedded.clickhouse.errors import QueryFailedError
from raceline.embedded.clickhouse.execution import Execution
from raceline.embedded.clickhouse.form import form_fields, url_fields
from raceline.embedded.clickhouse.greeting import greeting, is_greeting
from raceline.embedded.clickhouse.guard import Guard
from raceline.embedded.clickhouse.outgoing import SERVER_NAME, Outgoing
from raceline.embedded.clickhouse.query import Query, read_query
from raceline.embedded.clickhouse.reply import answer_fields, error_fields, headers

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_GREETING_BYTES: Final = 200
_LONGEST_URL: Final = 1 << 20  # http_max_uri_size of a server
Asked = tuple[Mapping[str, str], Mapping[str, str]]  # the URL's parameters, the headers
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
        if len(scope["query_string"]) > _LONGEST_URL - len("/?"):
            return await _answer(send, 400, b"HTTP request URI invalid or too long\n")
        if scope["method"] not in {"GET", "HEAD", "POST"}:
            return await _answer(send, 405, b"Queries come by GET or POST\n")
        try:
            url = url_fields(scope["query_string"])
            if scope["method"] in {"GET", "HEAD"} and "query" not in url:
                return await _answer(send, 200, b"Ok.\n")
            self.guard.refuse_unknown(fields, url)
            query = read_query(scope["method"], url, fields, self.new_id())
            await self._query(query, (url, fields), receive, send)
        except QueryFailedError as error:
            await _answer(send, error.status, error.text.encode() + b"\n", error_fields(error))
        return None

    async def _query(self, query: Query, asked: Asked, receive: Receive, send: Send) -> None:
        url, fields = asked
        body = Body(self.engine.bodies, decoder(fields.get("content-encoding", "")), self.max_body_bytes)
        try:
            if not await _receive_all(receive, body):
                return None
            content_type = fields.get("content-type", "")
            if content_type.startswith("multipart/form-data"):
                query = _with_form(query, form_fields(content_type, body))
            if is_greeting(query.sql or body.head(_GREETING_BYTES).decode("latin-1"), url):
                return await _greet(send, query, self.engine.version)
            loop = asyncio.get_running_loop()
            outgoing = Outgoing(send, loop, fields.get("accept-encoding", "") if query.compressed else "")
            watch = loop.create_task(_watch(receive, outgoing))
            try:
                await loop.run_in_executor(self.executor, self._run, query, body, outgoing)
            finally:
                watch.cancel()
        finally:
            body.close()
        return None

    def _run(self, query: Query, body: Body, outgoing: Outgoing) -> None:
        """On a worker thread: from the statement to the last byte of the answer."""
        execution = Execution(query, body)
        with (
            self.engine.connection(query, self.clock()) as connection,
            closing(execution.pieces(connection)) as pieces,  # a query that nobody reads any more ends here
        ):
            outgoing.pass_on(execution, pieces)
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


async def _watch(receive: Receive, outgoing: Outgoing) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    outgoing.client_left = True


def _with_form(query: Query, form: Mapping[str, str]) -> Query:
    params = {name[6:]: value for name, value in form.items() if name.startswith("param_")}
    sql = "\n".join(filter(None, (query.sql, form.get("query", ""))))
    return replace(query, sql=sql, params={**query.params, **params}, body_is_form=True)


async def _greet(send: Send, query: Query, version: str) -> None:
    fields = answer_fields("Native", query.query_id, SERVER_NAME)
    await _answer(send, 200, greeting(SERVER_NAME, version), fields)


async def _answer(send: Send, status: int, body: bytes, extra: Mapping[str, str] | None = None) -> None:
    fields = {"Content-Type": "text/plain; charset=UTF-8", "Content-Length": str(len(body)), **(extra or {})}
    await send({"type": "http.response.start", "status": status, "headers": headers(fields)})
    await send({"type": "http.response.body", "body": body})
