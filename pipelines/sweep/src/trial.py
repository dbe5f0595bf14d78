"""One trial: a model of one family with one setting, and how well it does on rows it has not seen."""

import argparse
import json
from pathlib import Path

import joblib
from dataset import read
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier


def model_of(family: str, strength: float, depth: int, seed: int) -> ClassifierMixin:
    """Return the model that a trial is about."""
    if family == "linear":
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000))
    if family == "tree":
        return DecisionTreeClassifier(max_depth=depth, random_state=seed)
    return RandomForestClassifier(n_estimators=20, max_depth=depth, random_state=seed)


def main() -> None:
    """Train on one part of the data and measure on the other, which is the same for every trial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--family", choices=["linear", "tree", "forest"], required=True)
    parser.add_argument("--strength", type=float, default=1.0)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()

    _, labels, measured = read(arguments.data)
    seen, unseen, seen_labels, unseen_labels = train_test_split(
        measured, labels, test_size=0.3, random_state=arguments.seed, stratify=labels
    )
    model = model_of(arguments.family, arguments.strength, arguments.depth, arguments.seed)
    model.fit(seen, seen_labels)
    metrics = {
        "accuracy": float(accuracy_score(unseen_labels, model.predict(unseen))),
        "auc": float(roc_auc_score(unseen_labels, model.predict_proba(unseen)[:, 1])),
    }
    joblib.dump(model, arguments.model / "model.joblib")
    (arguments.metrics / "metrics.json").write_text(json.dumps(metrics))
    print(f"{arguments.family}: auc {metrics['auc']:.4f}")


if __name__ == "__main__":
    main()
