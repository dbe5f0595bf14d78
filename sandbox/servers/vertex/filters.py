"""The filter language of Google's list methods (AIP-160), as far as jobs and log entries need it.

`a="x" AND (b!="y" OR NOT labels.k:*)`; terms side by side are joined by AND; OR binds tighter than AND, as
the AIP says.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import IntEnum
from typing import Any

from sandbox.servers.vertex.errors import GoogleError

Lookup = Callable[[str], Any]
Predicate = Callable[[Lookup], bool]

_TOKEN = re.compile(
    r"""\s*(?: (?P<string>"(?:[^"\\]|\\.)*") | (?P<operator><=|>=|!=|=|:|<|>) | (?P<bracket>[()])
             | (?P<word>[^\s()"=!<>:]+) )""",
    re.VERBOSE,
)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda have, want: bool(have == want),
    "!=": lambda have, want: bool(have != want),
    "<": lambda have, want: bool(have < want),
    "<=": lambda have, want: bool(have <= want),
    ">": lambda have, want: bool(have > want),
    ">=": lambda have, want: bool(have >= want),
}


def parse(text: str, fields: Mapping[str, str]) -> Predicate:
    """A test for what the filter describes; an empty filter accepts everything.

    Args:
        text: The filter.
        fields: Which operators each field supports, separated by spaces. A name that ends in `.` stands for
            every key under it.

    Raises:
        GoogleError: `INVALID_ARGUMENT` when the filter does not parse, or asks for what no field supports.
    """
    if not text.strip():
        return lambda lookup: True
    return _Parser(text, fields).parse()


class _Parser:
    def __init__(self, text: str, fields: Mapping[str, str]) -> None:
        self._text = text
        self._fields = fields
        self._words = self._split()
        self._at = 0

    def parse(self) -> Predicate:
        predicate = self._conjunction()
        if self._peek() is not None:
            raise self._wrong(f"unexpected {self._peek()!r}")
        return predicate

    def _conjunction(self) -> Predicate:
        parts = [self._alternatives()]
        while (word := self._peek()) is not None and word != ")":
            if word == "AND":
                self._next()
            parts.append(self._alternatives())
        return lambda lookup: all(part(lookup) for part in parts)

    def _alternatives(self) -> Predicate:
        parts = [self._factor()]
        while self._peek() == "OR":
            self._next()
            parts.append(self._factor())
        return lambda lookup: any(part(lookup) for part in parts)

    def _factor(self) -> Predicate:
        word = self._next()
        if word == "NOT":
            inner = self._factor()
            return lambda lookup: not inner(lookup)
        if word == "(":
            inner = self._conjunction()
            if self._next() != ")":
                raise self._wrong("a bracket is not closed")
            return inner
        return self._comparison(word)

    def _comparison(self, raw_field: str) -> Predicate:
        field = _canonical(raw_field)
        operator = self._next()
        supported = self._operators_of(field)
        if operator not in supported:
            raise self._wrong(f"{field} supports {' '.join(supported)}, not {operator!r}")
        want = _unquote(self._next())
        if operator == ":":
            return lambda lookup: _has(lookup(field), want)
        compare = _COMPARE[operator]
        return lambda lookup: compare(lookup(field), _like(lookup(field), want))

    def _operators_of(self, field: str) -> list[str]:
        for name, operators in self._fields.items():
            if field == name or (name.endswith(".") and field.startswith(name)):
                return operators.split()
        known = ", ".join(f"{name}*" if name.endswith(".") else name for name in self._fields)
        raise self._wrong(f"no field {field!r}; there are {known}")

    def _split(self) -> list[str]:
        words, position, text = [], 0, self._text.rstrip()
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                raise self._wrong(f"cannot read it from position {position}")
            words.append(found[0].strip())
            position = found.end()
        return words

    def _peek(self) -> str | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def _next(self) -> str:
        word = self._peek()
        if word is None:
            raise self._wrong("it ends too early")
        self._at += 1
        return word

    def _wrong(self, why: str) -> GoogleError:
        return GoogleError("INVALID_ARGUMENT", f"Invalid filter {self._text!r}: {why}.")


def _canonical(field: str) -> str:
    """`displayName` and `display_name` are one field; keys under `labels.` stay as they are written."""
    head, dot, key = _unquote(field).partition(".")
    return re.sub(r"(?<=[a-z])([A-Z])", r"_\1", head).lower() + dot + key


def _unquote(word: str) -> str:
    if word.startswith('"'):
        return re.sub(r"\\(.)", r"\1", word[1:-1])
    return word


def _has(have: Any, want: str) -> bool:
    return have is not None and fnmatch.fnmatchcase(str(have), want)


def _like(have: Any, want: str) -> Any:
    """The wanted value in the type of the value it is compared with."""
    try:
        if isinstance(have, datetime):
            return datetime.fromisoformat(want)
        return type(have)[want] if isinstance(have, IntEnum) else want
    except (ValueError, KeyError):
        kind = (
            "an RFC 3339 time"
            if isinstance(have, datetime)
            else f"one of {[each.name for each in type(have)]}"
        )
        raise GoogleError("INVALID_ARGUMENT", f"Invalid filter: {want!r} is not {kind}.") from None
