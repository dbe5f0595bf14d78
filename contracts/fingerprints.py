"""What a stage's result depends on, as one digest: the same fingerprint, the same result. Pure functions of a spec."""

import hashlib
import json
from collections.abc import Callable, Collection

from contracts.artifacts import Artifact
from contracts.graph import OutputName, needs, order, references_of, resolve
from contracts.inference import BatchPredictStage
from contracts.placeholders import Reference
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import CopyStage, JobStage, LoadTableStage, PickStage, QueryStage, inputs_of
from contracts.tables import Scalar

_REPEATABLE = (CopyStage, JobStage, BatchPredictStage, LoadTableStage, QueryStage)
"""What is done once it is done. An endpoint is there or not, a pick costs nothing, and a person is asked anew."""
_LEFT_OUT = {
    "after",
    "when",
    "retries",
    "timeout",
    "on_failure",
    "slow_after",
    "expect",
    "data_class",
    "declassify",
    "resources",
    "inputs",
    "cache",
}
"""When a stage runs, on what machine, and what happens when it fails changes nothing of what it leaves."""


def fingerprint(
    spec: PipelineSpec,
    name: str,
    code: dict[str, str],
    artifact_of: Callable[[OutputName], Artifact],
    value_of: Callable[[Reference], Scalar],
) -> str:
    """Return the fingerprint of a stage whose needs have ended; empty for one of a kind that is always run.

    It is made of what the stage says itself, the digests of its code folder and its inputs, and the params, metrics and
    answers that it names. It does not see what lies outside: the object that a copy reads, the rows of a table.

    Args:
        spec: the pipeline.
        name: the stage.
        code: digest of each code folder, by its name in the spec.
        artifact_of: finds what another stage left.
        value_of: finds a param, a metric or an answer.
    """
    stage = spec.stages[name]
    if not isinstance(stage, _REPEATABLE):
        return ""
    artifacts = {key: artifact_of(resolve(spec, written)) for key, written in inputs_of(stage).items()}
    values = {
        reference.text: value_of(reference)
        for reference, _ in references_of(stage)
        if reference.role in {"params", "metrics", "answer"}
    }
    said = {
        "stage": stage.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_LEFT_OUT),
        "code": code.get(stage.code or "") if isinstance(stage, CommandStage) else None,
        "inputs": {key: [held.kind, held.digest] for key, held in artifacts.items()},
        "values": values,
        "picked": _judged_by(spec, name) if isinstance(stage, JobStage) and stage.foreach else [],
    }
    content = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def _judged_by(spec: PipelineSpec, name: str) -> list[str]:
    """What the items of a stage are judged by: it keeps the best of each."""
    picks = (stage for stage in spec.stages.values() if isinstance(stage, PickStage))
    return sorted({pick.by for pick in picks if name in pick.candidates})


def downstream(spec: PipelineSpec, names: Collection[str]) -> frozenset[str]:
    """These stages, and every one that needs one of them, directly or not."""
    found = set(names)
    for name in order(spec):
        if needs(spec, name) & found:
            found.add(name)
    return frozenset(found)
