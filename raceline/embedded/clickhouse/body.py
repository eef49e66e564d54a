"""A request body: decoded while it arrives, in memory while it is small, then in a file."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from raceline.embedded.clickhouse.encoding import Decoder
from raceline.embedded.clickhouse.errors import TOO_LARGE, refusal

_IN_MEMORY: Final = 1 << 20
_COPY: Final = 1 << 20


@dataclass
class Body:
    """Bytes that arrived, decoded."""

    folder: Path
    decoder: Decoder
    max_bytes: int
    size: int = 0
    _store: tempfile.SpooledTemporaryFile[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._store = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.folder))  # noqa: SIM115 - close()

    def add(self, chunk: bytes) -> None:
        """Take what arrived. Raises QueryFailedError when it is too much, or not in its encoding."""
        self._keep(self.decoder.decode(chunk))

    def finish(self) -> None:
        """No more will arrive. Raises QueryFailedError when the body is not whole."""
        self._keep(self.decoder.finish())

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self.max_bytes:
            raise refusal(TOO_LARGE, f"The request body is larger than {self.max_bytes} bytes")
        self._store.write(data)

    def head(self, limit: int) -> bytes:
        """The first bytes, at most `limit`."""
        self._store.seek(0)
        return self._store.read(limit)

    def spool_from(self, offset: int, before: bytes = b"") -> Path:
        """Write `before` and what stands after `offset` to a file of its own, which the caller deletes."""
        self._store.seek(offset)
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as file:
            file.write(before)
            while piece := self._store.read(_COPY):
                file.write(piece)
        return Path(file.name)

    def close(self) -> None:
        """Forget the bytes, and the file if there is one."""
        self._store.close()
