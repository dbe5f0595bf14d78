"""Commands that need neither Temporal nor a cloud."""

import json
import sys
from pathlib import Path

from contracts.graph import order
from contracts.policy import told_of
from contracts.stage_base import ANY, StageBase
from contracts.stages import Stage
from starter.exits import Exit
from starter.options import params_of
from starter.spec.fields import described_schema
from starter.spec.load import find, load
from starter.spec.policies import judged, read_policy
from starter.spec.problems import SpecError


def validate(
    pipeline: str | None, param: tuple[str, ...], policy: str | None = None, *, as_json: bool
) -> Exit:
    """Check a pipeline, and whether it keeps to a policy and to its own; all mistakes at once."""
    file = find(pipeline)
    try:
        found = load(file, params_of(param))
        waived = judged(file, found.spec, read_policy(Path(policy)) if policy else None)
    except SpecError as error:
        if not as_json:
            raise
        mistakes = [
            {"file": item.file, "line": item.line, "field": item.field, "message": item.message}
            for item in error.mistakes
        ]
        _print(json.dumps({"valid": False, "mistakes": mistakes}, indent=2))
        return Exit.USAGE
    spec = found.spec
    if as_json:
        _print(
            json.dumps(
                {
                    "valid": True,
                    "pipeline": spec.pipeline,
                    "digest": spec.digest,
                    "mistakes": [],
                    "waits": [broken.model_dump(mode="json") for broken in waived],
                },
                indent=2,
            )
        )
    else:
        stages = ", ".join(f"{name} on {_place(spec.stages[name])}" for name in order(spec))
        _print(f"{file} is sound: {stages}")
        for broken in waived:
            _print(f"a run waits before its first stage: {told_of(broken)}")
    return Exit.SUCCEEDED


def _place(stage: Stage) -> str:
    if not isinstance(stage, StageBase):
        return "no cloud"
    return "any connection" if stage.places == (ANY,) else stage.where


def schema() -> Exit:
    """Print the JSON Schema of pipeline files."""
    _print(json.dumps(described_schema(), indent=2))
    return Exit.SUCCEEDED


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
