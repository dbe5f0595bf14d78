"""Conditions of role assignments, read and judged: attribute-based access control, as far as blobs have attributes.

https://learn.microsoft.com/azure/role-based-access-control/conditions-format. What a request does not have is like nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

_TOKEN = re.compile(r"\s*(?:(?P<mark>[!(){}])|'(?P<text>[^']*)'|(?P<attribute>@\w+\[[^\]]+\])|(?P<word>\w+))")


class ConditionError(ValueError):
    """The text is no condition."""


@dataclass(frozen=True)
class Act:
    """What somebody is about to do, as conditions see it."""

    action: str
    suboperation: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """By their whole name: `@Resource[...:name]`."""


Judge = Callable[[Act], bool]


@cache
def parse(text: str) -> Judge:
    """Return the judge that a condition describes.

    Raises:
        ConditionError: it cannot be read.
    """
    reader = _Reader(_tokens(text))
    found = reader.either()
    reader.end()
    return found


def matches(pattern: str, action: str) -> bool:
    """Whether an action is what a pattern with stars names; case counts nowhere."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE) is not None


def _like(value: str, pattern: str) -> bool:
    wanted = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wanted, value, re.DOTALL) is not None


_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "StringNotEquals": str.__ne__,
    "StringStartsWith": str.startswith,
    "StringLike": _like,
}
_FUNCTIONS: dict[str, Callable[[Act, str], bool]] = {
    "ActionMatches": lambda act, text: matches(text, act.action),
    "SubOperationMatches": lambda act, text: act.suboperation == text,
}
Token = tuple[str, str]


def _tokens(text: str) -> list[Token]:
    found, at, whole = [], 0, text.rstrip()
    while at < len(whole):
        token = _TOKEN.match(whole, at)
        if token is None or token.lastgroup is None:
            raise ConditionError(f"cannot be read from {whole[at : at + 30]!r} on")
        found.append((token.lastgroup, token[token.lastgroup]))
        at = token.end()
    return found


class _Reader:
    """OR binds least, then AND, then NOT and `!`."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def either(self) -> Judge:
        terms = [self._all()]
        while self._took("word", "OR"):
            terms.append(self._all())
        return lambda act: any(term(act) for term in terms)

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise ConditionError(f"{self._tokens[self._at][1]!r} was not expected")

    def _all(self) -> Judge:
        terms = [self._one()]
        while self._took("word", "AND"):
            terms.append(self._one())
        return lambda act: all(term(act) for term in terms)

    def _one(self) -> Judge:
        if self._took("word", "NOT") or self._took("mark", "!"):
            inner = self._one()
            return lambda act: not inner(act)
        if self._took("mark", "("):
            inner = self.either()
            self._must("mark", ")")
            return inner
        kind, text = self._next()
        if kind == "attribute":
            return self._comparison(text)
        if text not in _FUNCTIONS:
            raise ConditionError(f"{text!r} is no function")
        self._must("mark", "{")
        wanted = self._must("text")
        self._must("mark", "}")
        return lambda act: _FUNCTIONS[text](act, wanted)

    def _comparison(self, attribute: str) -> Judge:
        operator = self._must("word")
        if operator not in _OPERATORS:
            raise ConditionError(f"{operator!r} is no operator that is known here")
        wanted = self._must("text")
        return lambda act: (
            attribute in act.attributes and _OPERATORS[operator](act.attributes[attribute], wanted)
        )

    def _next(self) -> Token:
        if self._at == len(self._tokens):
            raise ConditionError("it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _took(self, *wanted: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at] == wanted:
            self._at += 1
            return True
        return False

    def _must(self, kind: str, text: str | None = None) -> str:
        found = self._next()
        if found[0] != kind or text not in (None, found[1]):
            raise ConditionError(f"{found[1]!r} was not expected")
        return found[1]
