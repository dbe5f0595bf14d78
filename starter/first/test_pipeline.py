"""Tests of this pipeline: its scripts as they are, without any cloud, and its file.

From Causeway's folder:  python -m pytest first-steps
"""

import csv
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SRC = HERE / "src"


def run(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a script as a job does, in the code folder."""
    words = [sys.executable, *(str(word) for word in command)]
    return subprocess.run(words, cwd=SRC, capture_output=True, text=True, check=False)


def fit(folder: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return run("fit.py", "--rows", "days.csv", "--model", folder, "--metrics", folder, *more)


def test_the_line_fits_and_predicts_every_day(tmp_path: Path) -> None:
    fitted = fit(tmp_path)
    assert fitted.returncode == 0, fitted.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["r2"] > 0.5

    predicted = run("predict.py", "--model", tmp_path, "--rows", "days.csv", "--out", tmp_path)
    assert predicted.returncode == 0, predicted.stderr
    with (tmp_path / "predictions.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == metrics["rows"]


def test_too_few_rows_are_refused(tmp_path: Path) -> None:
    refused = fit(tmp_path, "--at-least", 1000)
    assert refused.returncode == 1
    assert "1000 are wanted" in refused.stderr


def test_the_pipeline_is_sound() -> None:
    command = [sys.executable, "-m", "starter", "validate", str(HERE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
