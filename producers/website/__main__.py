"""`python -m producers.website`: the collector alone."""

import logging
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from producers.delivery import Delivery
from producers.publisher import Publisher, PublisherOptions
from producers.settings import ProducerSettings, SettingsError, load_secret, load_settings
from producers.spool import Spool, SpoolOptions
from producers.website.body import BodyLimits
from producers.website.collector import Collector, create_app

_SHUTDOWN_SECONDS = 5

Stopping = Callable[[], bool]


def main() -> None:
    settings, collector = started("collector")
    serve(lambda stopping: create_app(collector), settings.host, settings.port)


def started(process: str) -> tuple[ProducerSettings, Collector]:
    """Logging, settings and collector of a process; ends it with a sentence when one of them cannot be had."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # the publisher says once what the client says every second
    try:
        settings = load_settings()
        return settings, build_collector(settings)
    except (SettingsError, OSError) as error:
        raise SystemExit(f"The {process} cannot start: {error}") from None


def build_collector(settings: ProducerSettings) -> Collector:
    """Raises SettingsError and OSError."""
    folder = settings.data_dir / "spool"
    # When the spool answers, nobody waits for Kafka: fewer and larger batches then.
    linger = 0.05 if settings.spool == "always" else 0.02
    publisher = Publisher(PublisherOptions(settings.kafka, settings.delivery_timeout, linger))
    max_bytes = settings.spool_max_mb * 1024 * 1024
    spool = Spool(SpoolOptions(folder, "website", max_bytes, fsync=settings.spool_fsync))
    delivery = Delivery(publisher, spool, folder, settings.spool)
    limits = BodyLimits(settings.max_body_bytes, settings.body_seconds)
    return Collector(delivery, load_secret(settings), limits=limits)


def serve(make_app: Callable[[Stopping], ASGIApp], host: str, port: int) -> None:
    """Blocks until SIGINT or SIGTERM; what was accepted is flushed then. The app is told whether it is time to end."""
    listener = _bound(host, port)
    server: uvicorn.Server
    config = uvicorn.Config(
        make_app(lambda: server.should_exit),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # X-Forwarded-For is anybody's word
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    server = uvicorn.Server(config)
    logging.getLogger(__name__).info("listening on http://%s:%d", *listener.getsockname()[:2])
    with listener, suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise SystemExit(
            f"The collector cannot listen on {host}:{port}: {error.strerror}. Set RACELINE_PORT."
        ) from None
    return listener


if __name__ == "__main__":
    main()
