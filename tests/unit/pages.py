"""A pipeline over four clouds and a run of it, for the tests of drawings and reports."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.artifacts import Artifact
from contracts.jobs import RunRef
from contracts.runs import (
    RunPhase,
    RunStatus,
    StagePhase,
    StageStatus,
    TransferResult,
)
from contracts.spec import PipelineSpec

BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOSTILE = '</svg><script>alert(1)</script> ``` | `x` [a](javascript:b) "q" & <b>'


def spec_of(stages: dict[str, Any]) -> PipelineSpec:
    return PipelineSpec.model_validate({"pipeline": "play", "stages": stages})


QUICK = spec_of(
    {
        "ingest": {"kind": "copy", "on": "aws", "source": "file:///d/data.csv"},
        "train": {
            "kind": "train",
            "on": "aws",
            "command": "go",
            "inputs": {"data": "ingest"},
            "outputs": ["model", "metrics"],
        },
        "other": {
            "kind": "train",
            "on": "gcp",
            "command": "go",
            "inputs": {"data": "ingest"},
            "outputs": ["model", "metrics"],
        },
        "best": {"kind": "pick", "from": ["train", "other"], "by": "max(metrics.auc)"},
        "score": {
            "kind": "predict",
            "on": "azure",
            "command": "go",
            "inputs": {"model": "best.model", "data": "ingest"},
            "outputs": ["scores"],
        },
        "after": {"kind": "process", "on": "azure", "command": "go", "after": ["score"]},
    }
)


def artifact(uri: str = "s3://b/x/") -> Artifact:
    return Artifact(uri=uri, kind="folder", size_bytes=5, object_count=1, digest="d" * 64)


def moved(name: str, source: str, destination: str, **fields: Any) -> TransferResult:
    return TransferResult(
        artifact=name,
        source=source,
        destination=destination,
        size_bytes=2_500_000,
        objects=1,
        seconds=2.0,
        verified="end_to_end",
        result=artifact(),
        started_at=BEGAN + timedelta(seconds=5),
        ended_at=BEGAN + timedelta(seconds=7),
        **fields,
    )


def status_of(spec: PipelineSpec, **fields: Any) -> RunStatus:
    stages = {
        name: StageStatus(
            name=name,
            kind=stage.kind,
            connection=stage.on,
            phase=StagePhase.SUCCEEDED,
            started_at=BEGAN + timedelta(seconds=number),
            ended_at=BEGAN + timedelta(seconds=number + 9),
        )
        for number, (name, stage) in enumerate(spec.stages.items())
    }
    given = {
        "run": RunRef(pipeline=spec.pipeline, key="k", run_uid="u"),
        "phase": RunPhase.SUCCEEDED,
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(seconds=30),
        "stages": stages,
    }
    return RunStatus(**(given | fields))
