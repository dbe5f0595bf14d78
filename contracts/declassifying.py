"""Mistakes in stages that take classes off what they leave, as far as they show before a run. Pure functions of a spec."""

from collections.abc import Callable, Iterator

from contracts.approvals import YES_NO, ApproveStage
from contracts.mistakes import Problem, nearest
from contracts.spec import PipelineSpec

Needs = Callable[[PipelineSpec, str], set[str]]
"""The stages that must have ended before one starts; `contracts.graph.needs`."""
YES = YES_NO[0]
"""The answer that declassifies."""


def declassify_problems(spec: PipelineSpec, needs: Needs) -> Iterator[Problem]:
    """Stages that declassify without a question that they come after."""
    for name, stage in spec.stages.items():
        if stage.declassify:
            told = _wrong(spec, needs, name, stage.declassify)
            if told:
                yield Problem(path=("stages", name, "declassify"), message=told)


def _wrong(spec: PipelineSpec, needs: Needs, name: str, asked: str) -> str:
    gate = spec.stages.get(asked)
    if not isinstance(gate, ApproveStage):
        known = [other for other, stage in spec.stages.items() if isinstance(stage, ApproveStage)]
        return f"{asked!r} is no stage of kind approve{nearest(asked, known)}"
    if gate.answer != "choice" or YES not in gate.choices:
        return f"{asked!r} cannot be answered with {YES}, which is what declassifies"
    if not gate.approvers:
        return f"{asked!r} names no approvers; say who may answer it"
    if asked not in _before(spec, needs, name):
        return f"the stage does not come after {asked!r}; add after: [{asked}]"
    return ""


def _before(spec: PipelineSpec, needs: Needs, name: str) -> set[str]:
    """All stages that must have ended before one starts, at whatever remove."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        for need in needs(spec, waiting.pop()):
            if need in spec.stages and need not in found:
                found.add(need)
                waiting.append(need)
    return found
