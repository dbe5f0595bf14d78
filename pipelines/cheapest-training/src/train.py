"""Fits a forest and measures it. It knows nothing of where it runs."""

import argparse
import json
from pathlib import Path

import joblib
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from table import measured, read


def main() -> None:
    """Train on one part of the data and measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    rows = read(arguments.data)
    inputs, labels = [measured(row) for row in rows], [int(row["label"]) for row in rows]
    train_inputs, test_inputs, train_labels, test_labels = train_test_split(
        inputs, labels, test_size=0.25, random_state=arguments.seed, stratify=labels
    )
    model = RandomForestClassifier(n_estimators=100, random_state=arguments.seed).fit(
        train_inputs, train_labels
    )
    auc = float(roc_auc_score(test_labels, model.predict_proba(test_inputs)[:, 1]))
    joblib.dump(model, arguments.model / "model.joblib")
    (arguments.metrics / "metrics.json").write_text(json.dumps({"auc": auc}))
    print(f"auc {auc:.4f}")


if __name__ == "__main__":
    main()
