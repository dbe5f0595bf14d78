"""Fits a logistic regression and writes it with its metrics. Nothing here knows on which cloud it runs."""

import argparse
import json
from pathlib import Path

import joblib
from dataset import read
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def main() -> None:
    """Train on one part of the data and measure on the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--test-fraction", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    _, labels, measured = read(arguments.data)
    train_measured, test_measured, train_labels, test_labels = train_test_split(
        measured, labels, test_size=arguments.test_fraction, random_state=arguments.seed, stratify=labels
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(train_measured, train_labels)

    metrics = {
        "accuracy": float(accuracy_score(test_labels, model.predict(test_measured))),
        "auc": float(roc_auc_score(test_labels, model.predict_proba(test_measured)[:, 1])),
        "train_rows": len(train_labels),
        "test_rows": len(test_labels),
    }
    joblib.dump(model, arguments.model / "model.joblib")
    (arguments.metrics / "metrics.json").write_text(json.dumps(metrics))
    print(
        f"trained on {len(train_labels)} rows, accuracy {metrics['accuracy']:.3f}, auc {metrics['auc']:.3f}"
    )


if __name__ == "__main__":
    main()
