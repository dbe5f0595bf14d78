"""Puts the shards' predictions together again, each row once."""

import argparse
import csv
import json
from pathlib import Path


def main() -> None:
    """Write one table in the order of the ids, and how good it is as a whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    arguments = parser.parse_args()

    rows: dict[int, list[str]] = {}
    files = sorted(arguments.predictions.rglob("*.csv"))
    for path in files:
        with path.open(newline="") as file:
            for row in list(csv.reader(file))[1:]:
                if int(row[0]) in rows:
                    raise SystemExit(f"row {row[0]} stands in two shards")
                rows[int(row[0])] = row
    with (arguments.out / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "label", "prediction"])
        writer.writerows(rows[key] for key in sorted(rows))
    right = sum(row[1] == row[2] for row in rows.values())
    metrics = {"rows": len(rows), "shards": len(files), "accuracy": right / len(rows)}
    (arguments.metrics / "metrics.json").write_text(json.dumps(metrics))
    print(f"joined {len(rows)} rows of {len(files)} shards")


if __name__ == "__main__":
    main()
