"""Load on a collector over HTTP that remembers which events were answered with 200."""

import http.client
import json
import threading
import time
from uuid import uuid4


class Load:
    """Posts small batches of page views until it is stopped. What is not answered with 200 was not accepted."""

    def __init__(self, port: int, *, pause: float = 0.01, batch: int = 10) -> None:
        self.accepted: list[str] = []
        self.refused = 0
        self._port = port
        self._pause = pause
        self._batch = batch
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def wait(self, seconds: float) -> None:
        assert self._thread.is_alive() or self._done.is_set()
        time.sleep(seconds)

    def _run(self) -> None:
        while not self._done.wait(self._pause):
            ids = [str(uuid4()) for _ in range(self._batch)]
            if self._answered(ids):
                self.accepted += ids
            else:
                self.refused += len(ids)

    def _answered(self, ids: list[str]) -> bool:
        events = [{"event_id": one, "name": "page_view", "visitor_id": f"v{one[:2]}"} for one in ids]
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("POST", "/v1/events", json.dumps(events), {"X-Raceline-Key": "demo"})
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
