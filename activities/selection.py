"""Which of the objects below a prefix are meant: globs, as people know them from rclone and .gitignore."""

import re
import time
from collections.abc import Iterable
from functools import cache

from activities.store import Store
from contracts.artifacts import ObjectStat
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.storage import ListRequest, ObjectPage

PAGE_SECONDS = 20.0
"""A page that nothing was found for yet is given back after so long, so that no listing looks dead."""
_SPECIAL = re.compile(r"[\\\[^&|~]")
_TOKEN = re.compile(r"\*\*/|\*\*|\*|\?|\[(!?)([^\]]+)\]|.", re.DOTALL)


class Selection:
    """Takes names that one of `include` matches, or any if there are none, and that no `exclude` matches.

    `*` and `?` stay within a folder, `**` does not, `[ab]` and `[!ab]` are one character. A pattern that begins with
    `/` is matched from the prefix on; any other may begin at any folder: `*.csv` means those of every folder. One
    that ends in `/` means everything below such a folder.
    """

    def __init__(self, include: Iterable[str], exclude: Iterable[str]) -> None:
        """Read the patterns.

        Raises:
            ValueError: one is malformed; says which.
        """
        self._include = tuple(map(_compiled, include))
        self._exclude = tuple(map(_compiled, exclude))

    def __call__(self, name: str) -> bool:
        """Whether an object of this name below the prefix is meant."""
        wanted = not self._include or any(pattern.fullmatch(name) for pattern in self._include)
        return wanted and not any(pattern.fullmatch(name) for pattern in self._exclude)


def selected_page(store: Store, request: ListRequest) -> ObjectPage:
    """Return the next page that holds something of what is meant, or the last one.

    Raises:
        ApplicationError: `INVALID_REQUEST`, a pattern is malformed.
    """
    try:
        selection = Selection(request.include, request.exclude)
    except ValueError as error:
        raise failure(ErrorKind.INVALID_REQUEST, str(error), ErrorDetail(ref=request.prefix)) from None
    after, until = request.after, time.monotonic() + PAGE_SECONDS
    while True:
        page = store.list(request.prefix, after, request.limit)
        found = tuple(held for held in page.objects if _meant(held, request.prefix, selection))
        after = page.next_after
        if found or after is None or time.monotonic() > until:
            return ObjectPage(objects=found, next_after=after)


def _meant(held: ObjectStat, prefix: str, selection: Selection) -> bool:
    return selection(held.uri.removeprefix(prefix))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    if not pattern.strip("/"):
        raise ValueError(f"the pattern {pattern!r} matches nothing; write one such as *.csv or logs/**")
    anchor = "" if pattern.startswith("/") else "(?:.*/)?"
    body = pattern.lstrip("/")
    tail = ".*" if body.endswith("/") else ""
    text = "".join(_translated(found) for found in _TOKEN.finditer(body))
    try:
        return re.compile(anchor + text + tail, re.DOTALL)
    except re.error as error:
        raise ValueError(f"the pattern {pattern!r} cannot be read: {error}") from None


def _translated(found: re.Match[str]) -> str:
    piece = found[0]
    if piece in _WILD:
        return _WILD[piece]
    if found[2]:
        inside = _SPECIAL.sub(r"\\\g<0>", found[2])
        return f"[{'^/' if found[1] else ''}{inside}]"
    if piece == "[":
        raise ValueError(f"the pattern {found.string!r} has a '[' that is never closed")
    return re.escape(piece)


_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
