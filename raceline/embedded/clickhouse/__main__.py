"""`python -m raceline.embedded.clickhouse --data-dir D --host 127.0.0.1 --port 8123`: serve until SIGTERM or Ctrl-C."""

import argparse
import os
import signal
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

os.environ["TZ"] = "UTC"  # the engine reads it once, when it is loaded: times must not depend on the host
time.tzset()

import uvicorn  # noqa: E402

from raceline.embedded.clickhouse.engine import DirectoryInUseError, Engine  # noqa: E402
from raceline.embedded.clickhouse.guard import Guard  # noqa: E402
from raceline.embedded.clickhouse.server import ClickHouseApp  # noqa: E402
from raceline.embedded.clickhouse.settings import ClickHouseSettings  # noqa: E402

_REQUEST_HEAD_BYTES = (1 << 20) + (64 << 10)  # a URL of 1 MiB, and headers
_GRACE_SECONDS = 3  # for queries to end by themselves
_CLOSE_SECONDS = 2.0


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SystemExit(_refused(f"cannot listen on {host}:{port}: {error.strerror}")) from None
    return listener


def _refused(sentence: str) -> int:
    sys.stderr.write(f"clickhouse: {sentence}\n")
    return 2


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in text.split(",") if name.strip())


def _serve(listener: socket.socket, host: str, engine: Engine, settings: ClickHouseSettings) -> None:
    guard = Guard(
        user=settings.user,
        password=settings.password.get_secret_value(),
        hosts=_names(settings.allowed_hosts) | {host.lower()},
        origins=_names(settings.allowed_origins),
    )
    executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="query")
    app = ClickHouseApp(engine, guard, executor, settings.max_body_bytes)
    config = uvicorn.Config(
        app,
        http="h11",  # httptools takes no URL beyond 64 KiB
        h11_max_incomplete_event_size=_REQUEST_HEAD_BYTES,
        lifespan="off",
        access_log=False,  # URLs hold queries, and may hold passwords
        log_level="warning",
        timeout_keep_alive=60,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listener])
    executor.shutdown(wait=False, cancel_futures=True)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _end_within(seconds: float) -> None:
    """A query that does not end must not hold up the end; what was inserted is on disk already."""
    timer = threading.Timer(seconds, os._exit, (0,))
    timer.daemon = True
    timer.start()


def main() -> int:
    """Serve; 0 after a wished end, 2 with a sentence when the directory or the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m raceline.embedded.clickhouse")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123)
    arguments = parser.parse_args()
    settings = ClickHouseSettings()
    # uvicorn raises the signal again when it has ended in order; then it must not end us before the engine
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)
    listener = _listen(arguments.host, arguments.port)
    try:
        engine = Engine(arguments.data_dir, settings.memory_ratio)
    except DirectoryInUseError as error:
        return _refused(str(error))
    try:
        _serve(listener, arguments.host, engine, settings)
    finally:
        _end_within(_CLOSE_SECONDS)
        engine.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
