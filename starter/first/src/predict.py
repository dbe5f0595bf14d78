"""Says for each day what the line would have sold."""

import argparse
import csv
import json
from pathlib import Path


def main() -> None:
    """Leave `predictions.csv` in the folder that the pipeline names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()

    model = json.loads((arguments.model / "model.json").read_text())
    with arguments.rows.open(newline="") as file:
        days = list(csv.DictReader(file))
    with (arguments.out / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["day", "sold", "predicted"])
        for day in days:
            predicted = model["slope"] * float(day["celsius"]) + model["intercept"]
            writer.writerow([day["day"], day["sold"], round(predicted, 1)])
    print(f"predicted {len(days)} days")


if __name__ == "__main__":
    main()
