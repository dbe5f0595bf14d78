"""What a retry may change of a pipeline: a stage's limit and machine, and params. Pure functions of a spec."""

from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from contracts.approvals import ApproveStage
from contracts.decisions import StageDecision
from contracts.expressions import written
from contracts.graph import references_of
from contracts.machines import Resources
from contracts.mistakes import nearest
from contracts.model import Message
from contracts.params import changed_param
from contracts.placeholders import parse_template, references
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import JobStage, PickStage
from contracts.units import format_duration, parse_duration


class Changed(Message):
    """A pipeline with what a person changed."""

    spec: PipelineSpec
    words: tuple[str, ...] = ()
    """Each change, as `timeout 30m -> 2h`."""
    anew: bool = False
    """Whether the stage needs another machine, or another place for what its items leave."""


def with_changes(spec: PipelineSpec, decision: StageDecision) -> Changed:
    """Return the pipeline as a decision on one of its stages changes it; what is as it was is no change.

    Raises:
        ValueError: something cannot be changed so; says what and why.
    """
    name = decision.stage
    stage = spec.stages[name]
    fields: dict[str, Any] = {}
    words: list[str] = []
    if decision.timeout and (limit := _timeout(spec, decision)) != spec.timeout_of(name):
        fields["timeout"] = limit
        words.append(f"timeout {format_duration(spec.timeout_of(name))} -> {decision.timeout}")
    if decision.resources:
        held, wanted = _resources(stage, name), _wanted(stage, decision)
        told = _differences(held, wanted)
        fields |= {"resources": wanted} if told else {}
        words += told
    params = {key: changed_param_of(spec, key, value) for key, value in decision.params.items()}
    other = {key: value for key, value in params.items() if value != spec.params[key]}
    words += [f"params.{key} {written(spec.params[key])} -> {written(value)}" for key, value in other.items()]
    stages = {**spec.stages, name: stage.model_copy(update=fields)}
    found = spec.model_copy(update={"stages": stages, "params": {**spec.params, **other}})
    each = isinstance(stage, JobStage) and stage.foreach is not None
    anew = "resources" in fields or (each and ("timeout" in fields or _in_command(spec, name, set(other))))
    return Changed(spec=found, words=tuple(words), anew=anew)


def changed_param_of(spec: PipelineSpec, key: str, value: Any) -> Any:
    """See `contracts.params.changed_param`; the message names the param."""
    try:
        return changed_param(spec, key, value)
    except ValueError as error:
        raise ValueError(f"params.{key}: {error}") from None


def _timeout(spec: PipelineSpec, decision: StageDecision) -> timedelta:
    stage = spec.stages[decision.stage]
    if isinstance(stage, PickStage | ApproveStage):
        raise ValueError(f"timeout: a stage of kind {stage.kind} does no work that could take long")
    try:
        return parse_duration(decision.timeout)
    except ValueError as error:
        raise ValueError(f"timeout: {error}") from None


def _resources(stage: Any, name: str) -> Resources:
    if not isinstance(stage, CommandStage):
        raise ValueError(f"resources: stage {name!r} is of kind {stage.kind} and has no machine of its own")
    return stage.resources


def _wanted(stage: Any, decision: StageDecision) -> Resources:
    held = stage.resources.model_dump(mode="json")
    given = {key: value for key, value in decision.resources.items() if value is not None}
    kept = {key: value for key, value in held.items() if key not in decision.resources and value is not None}
    unknown = [key for key in decision.resources if key not in Resources.model_fields]
    if unknown:
        raise ValueError(
            f"resources: there is no {unknown[0]!r}{nearest(unknown[0], Resources.model_fields)}"
        )
    try:
        return Resources.model_validate({**kept, **given})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        said = first["msg"].removeprefix("Value error, ")
        raise ValueError(
            f"resources.{'.'.join(map(str, first['loc']))}: {first['input']!r}: {said}"
        ) from None


def _differences(held: Resources, wanted: Resources) -> list[str]:
    before, after = held.model_dump(mode="json"), wanted.model_dump(mode="json")
    changed = [key for key in after if before[key] != after[key]]
    return [f"resources.{key} {_shown(before[key])} -> {_shown(after[key])}" for key in changed]


def _shown(value: Any) -> str:
    return (
        "none" if value is None else written(value) if isinstance(value, bool | int | float) else str(value)
    )


def _in_command(spec: PipelineSpec, name: str, params: set[str]) -> bool:
    """Whether a stage's items get another command by these params.

    Raises:
        ValueError: the items themselves would be others.
    """
    stage = spec.stages[name]
    query = stage.foreach.query if isinstance(stage, JobStage) and stage.foreach else None
    asked = {
        reference.name for reference in references(parse_template(query or "")) if reference.role == "params"
    }
    if asked & params:
        said = ", ".join(sorted(asked & params))
        raise ValueError(
            f"params.{said}: the query of foreach asks for it, and there would be other items; start a new run"
        )
    return bool(
        params & {reference.name for reference, _ in references_of(stage) if reference.role == "params"}
    )
