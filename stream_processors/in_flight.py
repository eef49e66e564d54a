"""Which offset of a partition may be committed."""

from collections import deque
from typing import Any


class InFlight:
    """The messages of one partition that were handed on and are not committed yet, oldest first."""

    def __init__(self) -> None:
        self._messages: deque[Any] = deque()

    def add(self, message: Any) -> None:
        self._messages.append(message)

    def advance(self, generation: int) -> int | None:
        """Forget the acknowledged head and return the offset to commit, None when there is nothing new.

        It looks at the messages' own flags: a late acknowledgement of an old generation cannot touch a new message.
        """
        position = None
        messages = self._messages
        while messages and (messages[0].acked or messages[0].generation_id != generation):
            message = messages.popleft()
            if message.generation_id == generation:
                position = message.offset + 1
        return position

    @property
    def head(self) -> int | None:
        """Offset of the oldest message that blocks the commit."""
        try:
            offset: int = self._messages[0].offset
        except IndexError:  # also when another thread asks
            return None
        return offset
