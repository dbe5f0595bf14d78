"""Predicts every row with the champion, whatever kind of model it is."""

import argparse
import csv
from pathlib import Path

import joblib
from table import measured, read


def main() -> None:
    """Write id, label and probability of each row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    rows = read(arguments.data)
    model = joblib.load(arguments.model / "model.joblib")
    chances = model.predict_proba([measured(row) for row in rows])[:, 1]
    with (arguments.out / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "probability"])
        for row, chance in zip(rows, chances, strict=True):
            writer.writerow([row["id"], row["label"], f"{chance:.6f}"])
    print(f"predicted {len(rows)} rows")


if __name__ == "__main__":
    main()
