"""Long lists in messages: beyond a few entries they travel compressed, since a history keeps every message."""

import base64
import json
import zlib
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, PlainSerializer, SerializationInfo, TypeAdapter

PLAIN_ENTRIES = 16
"""Lists up to this length stay readable."""
UNPACKED_LIMIT_BYTES = 64 * 1024 * 1024
"""What a packed list may come to; more is refused before it fills the memory."""
_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)
Entry = TypeVar("Entry")


def _pack(entries: tuple[Any, ...], info: SerializationInfo) -> Any:
    plain = [_ANYTHING.dump_python(entry, mode="json") for entry in entries]
    if len(plain) <= PLAIN_ENTRIES:
        return plain
    content = json.dumps(plain, separators=(",", ":")).encode()
    return base64.b85encode(zlib.compress(content, 6)).decode()


def _unpack(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    opened = zlib.decompressobj()
    try:
        content = opened.decompress(base64.b85decode(value), UNPACKED_LIMIT_BYTES)
    except (ValueError, zlib.error):
        raise ValueError("a packed list that cannot be read") from None
    if opened.unconsumed_tail:
        raise ValueError(f"a packed list of more than {UNPACKED_LIMIT_BYTES} bytes")
    return json.loads(content)


Packed = Annotated[tuple[Entry, ...], BeforeValidator(_unpack), PlainSerializer(_pack, when_used="json")]
"""A list of messages that is JSON up to `PLAIN_ENTRIES` entries, and beyond that base85 of compressed JSON."""
