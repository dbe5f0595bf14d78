"""Serves the champion: each row is answered with its id, the prediction and its probability."""

import argparse
from pathlib import Path
from typing import Any

import joblib
from serving import serve
from table import measured


def main() -> None:
    """Load the model, then serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args()
    model = joblib.load(arguments.model / "model.joblib")

    def predict(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        probabilities = model.predict_proba([measured(row) for row in rows])[:, 1]
        return [
            {
                "id": row["id"],
                "prediction": int(probability >= 0.5),
                "probability": round(float(probability), 6),
            }
            for row, probability in zip(rows, probabilities, strict=True)
        ]

    serve(predict)


if __name__ == "__main__":
    main()
