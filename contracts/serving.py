"""Which endpoint each stage is about, and the mistakes that only show when these stages are seen together."""

from collections.abc import Iterator
from difflib import get_close_matches

from contracts.inference import ROWS, BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.mistakes import Told
from contracts.placeholders import references, split_command
from contracts.spec import PipelineSpec
from contracts.stages import Stage


def endpoint_of(stage: Stage) -> str | None:
    """The stage whose endpoint a stage uses or removes."""
    return stage.endpoint if isinstance(stage, InvokeStage | RetireStage) else None


def endpoint_needs(spec: PipelineSpec, name: str) -> set[str]:
    """The stages that must have ended first because of an endpoint: its deploy, and for a retire every invoke."""
    endpoint = endpoint_of(spec.stages[name])
    if endpoint is None:
        return set()
    found = {endpoint} & {*spec.stages}
    if isinstance(spec.stages[name], RetireStage):
        found |= {
            other
            for other, stage in spec.stages.items()
            if isinstance(stage, InvokeStage) and stage.endpoint == endpoint
        }
    return found


def endpoint_problems(
    spec: PipelineSpec, stage: Stage, unread: frozenset[str] = frozenset()
) -> Iterator[Told]:
    """Every mistake of a stage that scores."""
    if isinstance(stage, InvokeStage | RetireStage) and stage.endpoint not in unread:
        yield from _reference_problems(spec, stage)
    if isinstance(stage, BatchPredictStage | InvokeStage) and ROWS not in stage.inputs:
        yield ("inputs",), f"the rows to score are missing: name an input {ROWS}"
    if isinstance(stage, BatchPredictStage):
        used = {held.text for argument in split_command(stage.command) for held in references(argument)}
        if f"inputs.{ROWS}" in used:
            told = f"{{inputs.{ROWS}}}: the rows come to the server in requests, not as a file"
            yield ("command",), told


def _reference_problems(spec: PipelineSpec, stage: InvokeStage | RetireStage) -> Iterator[Told]:
    deployed = spec.stages.get(stage.endpoint)
    if not isinstance(deployed, DeployStage):
        known = sorted(name for name, other in spec.stages.items() if isinstance(other, DeployStage))
        near = get_close_matches(stage.endpoint, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known) or 'none; add one'}"
        yield ("endpoint",), f"{stage.endpoint!r} is no stage of the kind deploy; {hint}"
