"""The fields of a request: in the URL, or in a form, which clients use when they are too long for a URL.

A field is refused that a server of the engine's version would refuse by default: what works here works there.
"""

from email.message import Message
from email.parser import BytesParser
from typing import Final
from urllib.parse import parse_qsl

from raceline.embedded.clickhouse.body import Body
from raceline.embedded.clickhouse.errors import BAD_ARGUMENTS, NOT_IMPLEMENTED, TOO_LARGE, form_refusal, refusal

MOST_FIELDS: Final = 1000  # http_max_fields
LONGEST_NAME: Final = 4096  # http_max_field_name_size, in bytes
LONGEST_VALUE: Final = 131072  # http_max_field_value_size, in bytes; in a URL as they are escaped there
_MOST_BYTES: Final = 32 << 20


def url_fields(query_string: bytes) -> dict[str, str]:
    """The fields of a URL by name. Raises QueryFailedError."""
    fields = [field.partition(b"=") for field in query_string.split(b"&")]
    _check([(len(name), len(value)) for name, _, value in fields])
    return dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"))


def form_fields(content_type: str, body: Body) -> dict[str, str]:
    """The fields by name. Raises QueryFailedError for files (external tables), which are not served."""
    if body.size > _MOST_BYTES:
        raise refusal(TOO_LARGE, f"A form is at most {_MOST_BYTES} bytes")
    raw = b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body.head(_MOST_BYTES)
    form = BytesParser().parsebytes(raw)
    if not form.is_multipart():
        raise refusal(BAD_ARGUMENTS, "The body is not the form that its Content-Type says")
    fields = [_field(part) for part in form.get_payload() if isinstance(part, Message)]
    _check([(len(name.encode()), len(value)) for name, value in fields])
    return {name: value.decode(errors="surrogateescape") for name, value in fields}


def _check(sizes: list[tuple[int, int]]) -> None:
    """Of the names and values, in the order in which a server reads them."""
    for number, (name, value) in enumerate(sizes):
        if number == MOST_FIELDS:
            raise form_refusal("Too many form fields")
        if name > LONGEST_NAME:
            raise form_refusal("Field name too long")
        if value > LONGEST_VALUE:
            raise form_refusal("Field value too long")


def _field(part: Message) -> tuple[str, bytes]:
    name = part.get_param("name", header="content-disposition")
    payload = part.get_payload(decode=True)
    if not isinstance(name, str) or not isinstance(payload, bytes):
        raise refusal(BAD_ARGUMENTS, "A form field has no name")
    if part.get_filename() is not None and not (name == "query" or name.startswith("param_")):
        raise refusal(NOT_IMPLEMENTED, "External tables are not served")
    return name, payload
