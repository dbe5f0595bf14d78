"""The table of the example: an id, a label (1 is benign), and thirty measurements."""

import csv
from pathlib import Path

NEITHER = {"id", "label"}


def read(path: Path) -> list[dict[str, str]]:
    """Return the rows as they lie in the file, all of them texts."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def measured(row: dict[str, str]) -> list[float]:
    """Return the measurements of a row, in the order of the file's columns."""
    return [float(value) for name, value in row.items() if name not in NEITHER]
