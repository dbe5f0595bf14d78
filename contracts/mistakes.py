"""A mistake in a spec, and the word its author may have meant."""

from collections.abc import Iterable
from difflib import get_close_matches

from contracts.model import Message

Path = tuple[str | int, ...]
Told = tuple[tuple[str, ...], str]
"""The field of a stage, and what is wrong with it."""


class Problem(Message):
    """One mistake: where in the spec, what is wrong and what would be right."""

    path: Path
    message: str


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when one of the known words is near, else the choice there is."""
    words = sorted(known)
    close = get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(words[:12])}" if words else ""
