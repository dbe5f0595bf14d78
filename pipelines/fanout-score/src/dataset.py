"""The table both scripts read: an id, a label (1 is benign), and thirty measurements."""

import csv
from pathlib import Path


def read(path: Path) -> tuple[list[int], list[int], list[list[float]]]:
    """Return ids, labels and measurements, row by row."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    measured = [name for name in rows[0] if name not in {"id", "label"}]
    return (
        [int(row["id"]) for row in rows],
        [int(row["label"]) for row in rows],
        [[float(row[name]) for name in measured] for row in rows],
    )
