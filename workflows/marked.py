"""Markdown for Temporal's Web UI in which only our own words mean anything: what others wrote stays text."""

import re
import textwrap

FENCE_LIMIT = 600
_WIDTH = 66
"""Characters of a line that fit beside the rest of the page."""
_MEANINGLESS = re.compile(r"(?:[^\W_]|(?<=[^\W_])_(?=[^\W_])|[ ,.:;?%()+/'-])*")
_PAGE = re.compile(
    r"https://(?P<host>[A-Za-z0-9.-]{1,200}(?::\d{1,5})?)/[A-Za-z0-9._~:/?#@!$&+,;=%-]{0,2000}"
)


def code(text: str) -> str:
    """Somebody's words as code on one line; nothing for nothing."""
    words = " ".join(text.split()).replace("`", "'")
    return f"`{words}`" if words else ""


def plain(text: str) -> str:
    """Words as they are where markdown would take them so, else as code; on one line."""
    words = " ".join(text.split())
    meant = "//" in words or "www." in words.lower() or not _MEANINGLESS.fullmatch(words)
    return code(words) if words and meant else words


def cell(text: str) -> str:
    """Make a part of a table's row of what is markdown already; no two renderers agree on a bar inside code."""
    return text.replace("|", "¦")


def fence(text: str, *, language: str = "text", limit: int = FENCE_LIMIT) -> list[str]:
    """Lines of text as they stand, long ones broken between words, ended at the limit."""
    cut = text[:limit].replace("```", "'''")
    lines = [part for line in cut.splitlines() for part in _broken(line)]
    return [f"```{language}", *lines, "```"]


def link(uri: str) -> str:
    """A page to open, which says to whose host it leads; what is no plain https address stays text."""
    page = _PAGE.fullmatch(uri)
    return f"[{page['host']}]({uri})" if page else code(uri)


def _broken(line: str) -> list[str]:
    if len(line) <= _WIDTH:
        return [line]
    return textwrap.wrap(
        line, _WIDTH, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )
