"""Scores one shard: each row gets the label of the nearer centre."""

import argparse
import csv
import json
from pathlib import Path

from dataset import read


def distance(row: list[float], centre: list[float], spread: list[float]) -> float:
    """How far a row is from a centre."""
    return sum(((a - b) / s) ** 2 for a, b, s in zip(row, centre, spread, strict=True))


def main() -> None:
    """Write a prediction for each row, and how many were right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()

    model = json.loads((arguments.model / "centres.json").read_text())
    ids, labels, measured = read(arguments.rows)
    centres = {int(label): centre for label, centre in model["centres"].items()}
    guesses = [
        min(centres, key=lambda label: distance(row, centres[label], model["spread"])) for row in measured
    ]
    with (arguments.out / arguments.name).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "prediction"])
        writer.writerows(zip(ids, labels, guesses, strict=True))
    right = sum(label == guess for label, guess in zip(labels, guesses, strict=True))
    (arguments.metrics / "metrics.json").write_text(json.dumps({"rows": len(ids), "right": right}))
    print(f"{arguments.name}: {right} of {len(ids)} right")


if __name__ == "__main__":
    main()
