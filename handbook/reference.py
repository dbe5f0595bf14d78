"""The reference: every field of a pipeline and every word of the command line, written from the code itself."""

import sys
from pathlib import Path

from handbook.fields import fields
from handbook.words import words

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
OPENING = """# Reference

Written from the models and the command line by `make docs`; what stands here is changed there.
[pipelines.md](pipelines.md) explains the fields with examples, [the README](../README.md#working-with-runs) the commands."""


def page() -> str:
    """Return the whole page."""
    return "\n\n".join([OPENING, *fields(), *words()]) + "\n"


def main() -> int:
    """Write the page where it is not what the code says."""
    text = page()
    if not PAGE.exists() or PAGE.read_text() != text:
        PAGE.write_text(text)
        sys.stdout.write("docs/reference.md is written again\n")
    return 0
