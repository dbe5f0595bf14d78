"""Counts, without a library, how the label goes with each measurement: a model small enough to load sixty times."""

import argparse
import json
import statistics
from pathlib import Path

from dataset import read


def main() -> None:
    """Fit the centre of each class, in units of each measurement's own spread."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    _, labels, measured = read(arguments.data)
    columns = list(zip(*measured, strict=True))
    spread = [statistics.pstdev(column) or 1.0 for column in columns]
    centres = {
        label: [
            statistics.fmean(value for value, own in zip(column, labels, strict=True) if own == label)
            for column in columns
        ]
        for label in sorted(set(labels))
    }
    (arguments.model / "centres.json").write_text(json.dumps({"spread": spread, "centres": centres}))
    print(f"fitted the centres of {len(centres)} classes on {len(labels)} rows")


if __name__ == "__main__":
    main()
