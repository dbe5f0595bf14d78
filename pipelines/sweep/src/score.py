"""Scores every row of the data. The honest figure on rows that training did not see is in the metrics of training."""

import argparse
import csv
from pathlib import Path

import joblib
from dataset import read


def main() -> None:
    """Write id, label, prediction and probability of each row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    ids, labels, measured = read(arguments.data)
    probabilities = joblib.load(arguments.model / "model.joblib").predict_proba(measured)[:, 1]
    with (arguments.out / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "prediction", "probability"])
        for row_id, label, probability in zip(ids, labels, probabilities, strict=True):
            writer.writerow([row_id, label, int(probability >= 0.5), f"{probability:.6f}"])
    print(f"scored {len(ids)} rows")


if __name__ == "__main__":
    main()
