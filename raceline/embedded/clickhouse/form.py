"""Queries and parameters that come as a form, which clients use when they are too long for a URL."""

from email.message import Message
from email.parser import BytesParser
from typing import Final

from raceline.embedded.clickhouse.body import Body
from raceline.embedded.clickhouse.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, TOO_LARGE, refusal

_MOST_BYTES: Final = 32 << 20


def form_fields(content_type: str, body: Body) -> dict[str, str]:
    """The fields by name. Raises QueryFailedError for files (external tables), which are not served."""
    if body.size > _MOST_BYTES:
        raise refusal(TOO_LARGE, f"A form is at most {_MOST_BYTES} bytes")
    raw = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body.head(_MOST_BYTES)
    form = BytesParser().parsebytes(raw)
    if not form.is_multipart():
        raise refusal(BAD_ARGUMENTS, "The body is not the form that its Content-Type says")
    return dict(_field(part) for part in form.get_payload() if isinstance(part, Message))


def _field(part: Message) -> tuple[str, str]:
    name = part.get_param("name", header="content-disposition")
    payload = part.get_payload(decode=True)
    if not isinstance(name, str) or not isinstance(payload, bytes):
        raise refusal(BAD_ARGUMENTS, "A form field has no name")
    if part.get_filename() is not None and not (name == "query" or name.startswith("param_")):
        raise refusal(NOT_IMPLEMENTED, "External tables are not served")
    return name, payload.decode(errors="surrogateescape")
