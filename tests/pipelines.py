"""Pipelines that tests write, and the small scripts their jobs run."""

import json
from pathlib import Path
from typing import Any

from tests.house import CHECKOUT

QUICKSTART = CHECKOUT / "pipelines" / "quickstart"
CLOUDS = ("aws", "azure", "gcp", "onprem")
SLEEPER = """
import argparse, pathlib, time
parser = argparse.ArgumentParser()
parser.add_argument("--seconds", type=float)
parser.add_argument("--out", type=pathlib.Path)
arguments = parser.parse_args()
for second in range(int(arguments.seconds * 5)):
    print("tick", second, flush=True)
    time.sleep(0.2)
(arguments.out / "done.txt").write_text("done")
"""


def write(folder: Path, spec: dict[str, Any], files: dict[str, str] | None = None) -> Path:
    """Write a pipeline (JSON is YAML) with its code, and return its file."""
    for name, text in (files or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    file = folder / "pipeline.yaml"
    file.write_text(json.dumps(spec, indent=1))
    return file


def sleeper(folder: Path, cloud: str, seconds: float, **stage: Any) -> Path:
    """A pipeline with one job that prints for some seconds and leaves a file."""
    spec = {
        "pipeline": f"sleeper-{cloud}",
        "stages": {
            "nap": {
                "kind": "train",
                "on": cloud,
                "code": "src",
                "command": f"python sleep.py --seconds {seconds} --out {{outputs.result}}",
                "outputs": ["result"],
                "timeout": "5m",
                **stage,
            }
        },
    }
    return write(folder, spec, {"src/sleep.py": SLEEPER})
