"""Text from providers made fit for a history: one line, bounded, without any URL's query."""

import re

WORDS_LIMIT = 500
"""Characters of a provider's own words that are kept."""
_QUERY = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s?#'\"<>]*|/[^\s?#'\"<>]*)[?#][^\s'\"<>]*", re.IGNORECASE)
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"<>]+@", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"\b((?:x-(?:amz|goog)-(?:signature|credential|security-token))|sig|signature|token|authorization)"
    r"(\s*[=:]\s*)[^\s&,;'\"<>]+",
    re.IGNORECASE,
)


def scrub(text: object, limit: int = WORDS_LIMIT) -> str:
    """Return the text in one line, cut to a limit, with every URL's query, user and signature left out."""
    line = " ".join(str(text).split())
    line = _USERINFO.sub(r"\1", _QUERY.sub(r"\1", line))
    line = _SIGNATURE.sub(r"\1\2[removed]", line)
    return line if len(line) <= limit else line[: limit - 1] + "…"
