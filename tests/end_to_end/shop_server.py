"""A small shop on an origin of its own, whose pages carry the tracker of a running stack."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_PAGES = Path(__file__).parent / "shop"
_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript"}


class _Shop(BaseHTTPRequestHandler):
    def __init__(self, collector: str, *rest: object) -> None:
        self.collector = collector
        super().__init__(*rest)  # type: ignore[arg-type]  # whatever the server gives a handler

    def do_GET(self) -> None:
        page = _PAGES / urlsplit(self.path).path.lstrip("/")
        if page.parent != _PAGES or not page.is_file():
            self.send_error(404)
            return
        body = page.read_text().replace("COLLECTOR", self.collector).encode()
        self.send_response(200)
        self.send_header("Content-Type", _TYPES[page.suffix])
        self.send_header("Content-Length", str(len(body)))
        if page.name == "strict.html":
            allowed = f"default-src 'none'; script-src {self.collector}; connect-src {self.collector}"
            self.send_header("Content-Security-Policy", allowed)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def opened_shop(collector: str) -> Iterator[str]:
    """Gives the shop's address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Shop, collector)) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
