"""What people decide on stages that wait: answers to what they ask, and what becomes of those that failed."""

import json
from dataclasses import dataclass
from typing import Any

from contracts.approvals import Approval
from contracts.decisions import StageDecision
from starter import temporal
from starter.deciding import UPDATES, user
from starter.exits import Exit, StarterError
from starter.options import params_of
from starter.said import say
from workflows.pipeline import PipelineWorkflow


@dataclass(frozen=True)
class Changes:
    """What a retry shall change."""

    timeout: str
    resources: str
    param: tuple[str, ...]

    def fields(self) -> dict[str, Any]:
        """The fields of the decision.

        Raises:
            StarterError: the resources are no JSON object, or a param has no `=`.
        """
        return {
            "timeout": self.timeout,
            "resources": _object(self.resources),
            "params": params_of(self.param),
        }


def _object(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        example = '{"cpu": 4, "memory": "32GiB"}'
        raise StarterError(f"--resources {text}: write a JSON object, such as '{example}'")
    return found


def outputs_of(given: tuple[str, ...]) -> dict[str, str]:
    """Read `NAME=URI` pairs; a later one wins.

    Raises:
        StarterError: one of them has no `=`.
    """
    for pair in given:
        if not all(pair.partition("=")):
            raise StarterError(f"--output {pair}: write NAME=URI, such as model=s3://bucket/model/")
    return dict(pair.split("=", 1) for pair in given)


async def decide(
    decision: str,
    run_id: str,
    stage: str,
    reason: str,
    changes: Changes | None = None,
    output: tuple[str, ...] = (),
    *,
    as_json: bool = False,
) -> Exit:
    """Decide on a waiting stage."""
    more = {**(changes.fields() if changes else {}), "outputs": outputs_of(output)}
    request = StageDecision(stage=stage, by=user(), reason=reason, **more)
    told = await temporal.decide(await temporal.connected(), run_id, UPDATES[decision], request)
    return say(told, as_json=as_json, run_id=run_id, stage=stage, decision=decision)


async def approve(
    run_id: str, stage: str, answer: str, by: str | None, comment: str, *, as_json: bool = False
) -> Exit:
    """Answer what a stage asks."""
    approval = Approval(stage=stage, answer=answer, by=user() if by is None else by, comment=comment)
    told = await temporal.decide(await temporal.connected(), run_id, PipelineWorkflow.approve, approval)
    return say(told, as_json=as_json, run_id=run_id, stage=stage, decision="approve", answer=answer)
