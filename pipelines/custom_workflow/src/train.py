"""Fits a forest of so many trees and writes it with its metrics."""

import argparse
import json
from pathlib import Path

import joblib
from dataset import read
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split


def main() -> None:
    """Train on one part of the data and measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--trees", type=int, required=True)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    _, labels, measured = read(arguments.data)
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        measured, labels, test_size=0.3, random_state=arguments.seed, stratify=labels
    )
    model = RandomForestClassifier(n_estimators=arguments.trees, random_state=arguments.seed)
    model.fit(seen, seen_labels)
    auc = float(roc_auc_score(unseen_labels, model.predict_proba(unseen)[:, 1]))
    joblib.dump(model, arguments.model / "model.joblib")
    (arguments.metrics / "metrics.json").write_text(json.dumps({"auc": auc, "trees": arguments.trees}))
    print(f"{arguments.trees} trees: auc {auc:.4f}")


if __name__ == "__main__":
    main()
