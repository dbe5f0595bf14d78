"""Fits a line through the days and writes it with its metrics. Nothing here knows on which cloud it runs."""

import argparse
import csv
import json
import sys
from pathlib import Path
from statistics import correlation, linear_regression


def main() -> None:
    """Leave `model.json` and `metrics.json` in the folders that the pipeline names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--at-least", type=int, default=10)
    arguments = parser.parse_args()

    with arguments.rows.open(newline="") as file:
        days = list(csv.DictReader(file))
    if len(days) < arguments.at_least:
        sys.exit(f"{arguments.rows} has {len(days)} rows, and {arguments.at_least} are wanted")

    warmth = [float(day["celsius"]) for day in days]
    sold = [float(day["sold"]) for day in days]
    line = linear_regression(warmth, sold)
    r2 = correlation(warmth, sold) ** 2
    model = {"slope": line.slope, "intercept": line.intercept}
    (arguments.model / "model.json").write_text(json.dumps(model))
    (arguments.metrics / "metrics.json").write_text(json.dumps({"r2": r2, "rows": len(days)}))
    print(f"fitted {len(days)} rows, r2 {r2:.3f}")


if __name__ == "__main__":
    main()
