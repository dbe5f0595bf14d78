"""IAM's conditions, as far as they compare a resource's attributes with texts: a part of the Common Expression Language.

https://cloud.google.com/iam/docs/conditions-overview
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*")|(?P<attribute>resource\.(?:name|type|service))|'
    r"(?P<mark>\|\||&&|==|!=|\.startsWith\(|\.endsWith\(|[()!]))"
)


class Unreadable(Exception):
    """A condition that is none, or says more than is understood here."""


def holds(expression: str, attributes: Mapping[str, str]) -> bool:
    """Whether a condition holds for a resource of these attributes, each by the name that follows `resource.`.

    Raises:
        Unreadable: it is no condition.
    """
    reader = _Reader(expression, attributes)
    held = reader.any_of()
    if reader.ahead:
        raise Unreadable(f"{expression}: what is {reader.ahead!r} there?")
    return held


class _Reader:
    """Reads from left to right; every part is read, also where what came before decides."""

    def __init__(self, expression: str, attributes: Mapping[str, str]) -> None:
        self._tokens = _tokens(expression)
        self._attributes = attributes
        self.ahead = next(self._tokens, "")

    def any_of(self) -> bool:
        held = self._all_of()
        while self._take("||"):
            held = self._all_of() or held
        return held

    def _all_of(self) -> bool:
        held = self._one()
        while self._take("&&"):
            held = self._one() and held
        return held

    def _one(self) -> bool:
        if self._take("!"):
            return not self._one()
        if self._take("("):
            held = self.any_of()
            self._expect(")")
            return held
        return self._compared()

    def _compared(self) -> bool:
        value = self._attributes.get(self._next().removeprefix("resource."), "")
        how = self._next()
        text = str(json.loads(self._next()))
        if how in (".startsWith(", ".endsWith("):
            self._expect(")")
            return value.startswith(text) if how == ".startsWith(" else value.endswith(text)
        if how not in ("==", "!="):
            raise Unreadable(f"{how!r} compares nothing")
        return (value == text) == (how == "==")

    def _take(self, mark: str) -> bool:
        if self.ahead != mark:
            return False
        self._next()
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise Unreadable(f"{mark!r} is missing before {self.ahead!r}")

    def _next(self) -> str:
        found, self.ahead = self.ahead, next(self._tokens, "")
        return found


def _tokens(expression: str) -> Iterator[str]:
    at = 0
    text = expression.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise Unreadable(f"{expression}: what is {text[at : at + 20]!r}?")
        yield found[0].strip()
        at = found.end()
