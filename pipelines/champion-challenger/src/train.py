"""Fits one kind of model and measures it. Every candidate trains and is measured on the same rows."""

import argparse
import json
from pathlib import Path

import joblib
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from table import measured, read

KINDS = {
    "logistic": lambda seed: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": lambda seed: RandomForestClassifier(n_estimators=100, random_state=seed),
    "boosting": lambda seed: GradientBoostingClassifier(n_estimators=50, random_state=seed),
}


def main() -> None:
    """Train on one part of the data and measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=KINDS, required=True)
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
    model = KINDS[arguments.kind](arguments.seed)
    model.fit(train_inputs, train_labels)
    metrics = {
        "accuracy": float(accuracy_score(test_labels, model.predict(test_inputs))),
        "auc": float(roc_auc_score(test_labels, model.predict_proba(test_inputs)[:, 1])),
    }
    joblib.dump(model, arguments.model / "model.joblib")
    (arguments.metrics / "metrics.json").write_text(json.dumps(metrics))
    print(f"{arguments.kind}: accuracy {metrics['accuracy']:.4f}, auc {metrics['auc']:.4f}")


if __name__ == "__main__":
    main()
