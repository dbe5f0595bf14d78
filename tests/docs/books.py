"""The project's own papers as tests read them: prose, code spans, fences, links."""

import re
from pathlib import Path
from typing import NamedTuple

from tests.house import CHECKOUT

PAPERS = sorted(
    [
        *CHECKOUT.glob("*.md"),
        *CHECKOUT.glob("docs/**/*.md"),
        *CHECKOUT.glob("pipelines/*/README.md"),
    ]
)
_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Fence(NamedTuple):
    paper: str
    info: str
    text: str


def name_of(paper: Path) -> str:
    return paper.relative_to(CHECKOUT).as_posix()


def read(name: str) -> str:
    return (CHECKOUT / name).read_text()


def fences(name: str) -> list[Fence]:
    return [Fence(name, found["info"].strip(), found["text"]) for found in _FENCE.finditer(read(name))]


def spans(text: str) -> list[str]:
    """What stands in backticks within the prose."""
    return _SPAN.findall(_FENCE.sub("", text))


def code(name: str) -> str:
    """Everything of a paper that is set as code."""
    return "\n".join([*(fence.text for fence in fences(name)), *spans(read(name))])


def anchors(name: str) -> set[str]:
    """The anchors that a reader's browser knows in a paper."""
    headings = _HEADING.findall(_FENCE.sub("", read(name)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(text: str, title: str) -> dict[str, str]:
    """Rows of the table whose first heading is this: each code span of the first column, to its row."""
    lines = text[text.index(f"| {title} |") :].splitlines()
    rows = {}
    for line in lines[2:]:
        if not line.startswith("|"):
            break
        for word in _SPAN.findall(line.split("|")[1]):
            rows[word] = line
    return rows
