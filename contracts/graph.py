"""The pipeline as a graph: what each stage needs, and every mistake in it at once. Pure functions of a spec."""

from collections.abc import Collection, Iterator
from graphlib import CycleError, TopologicalSorter

from contracts.approvals import ApproveStage
from contracts.artifacts import ArtifactKind, locate
from contracts.choices import choice_problems, conditions_of, has_metrics, outputs_in
from contracts.declassifying import declassify_problems
from contracts.gates import Asked, gate_problems
from contracts.loops import foreach_problems
from contracts.mistakes import Path, Problem, nearest
from contracts.model import Message
from contracts.placeholders import Reference, parse_template, references, split_command
from contracts.places import place_problems
from contracts.queues import CLOUD_OF_SCHEME, cloud_of
from contracts.serving import endpoint_needs, endpoint_problems
from contracts.spec import RESERVED_STAGES, PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import (
    CopyStage,
    JobStage,
    LoadTableStage,
    PickStage,
    QueryStage,
    Stage,
    inputs_of,
    outputs_of,
)


class OutputName(Message):
    """An output of a stage, fully named."""

    stage: str
    output: str

    @property
    def text(self) -> str:
        """As in a spec: `train.model`."""
        return f"{self.stage}.{self.output}"


def resolve(spec: PipelineSpec, written: str) -> OutputName:
    """Find the output that `stage` or `stage.output` names.

    Raises:
        ValueError: there is none; the message names the nearest.
    """
    stage, _, output = written.partition(".")
    if stage not in spec.stages:
        raise ValueError(f"there is no stage {stage!r}{nearest(stage, spec.stages)}")
    available = outputs_in(spec, stage)
    if not output and len(available) == 1:
        return OutputName(stage=stage, output=available[0])
    if not output:
        choice = ", ".join(f"{stage}.{name}" for name in available) or "none"
        raise ValueError(f"stage {stage!r} has {len(available)} outputs; name one of: {choice}")
    if output not in available:
        raise ValueError(f"stage {stage!r} has no output {output!r}{nearest(output, available)}")
    return OutputName(stage=stage, output=output)


def needs(spec: PipelineSpec, name: str) -> set[str]:
    """The stages that must have ended before this one starts: inputs, metrics, answers and `after`."""
    stage = spec.stages[name]
    found = {written.partition(".")[0] for written in inputs_of(stage).values()} | set(stage.after)
    found |= {reference.stage for reference, _ in references_of(stage) if reference.stage}
    found |= endpoint_needs(spec, name)
    if isinstance(stage, PickStage):
        found |= set(stage.candidates)
    return found | {condition.stage for condition in conditions_of(stage) if condition.stage}


def order(spec: PipelineSpec) -> tuple[str, ...]:
    """The stages in an order that respects needs; the same spec gives the same order."""
    return tuple(TopologicalSorter({name: sorted(needs(spec, name)) for name in spec.stages}).static_order())


def references_of(stage: Stage) -> Iterator[tuple[Reference, str]]:
    """Every placeholder of a stage with the field it stands in."""
    if isinstance(stage, CommandStage):
        for argument in split_command(stage.command):
            yield from ((reference, "command") for reference in references(argument))
        for name, value in stage.env.items():
            yield from ((reference, f"env.{name}") for reference in references(parse_template(value)))
    if isinstance(stage, JobStage) and stage.foreach and stage.foreach.query:
        asked = references(parse_template(stage.foreach.query))
        yield from ((reference, "foreach.query") for reference in asked)
    if isinstance(stage, QueryStage):
        yield from ((reference, "sql") for reference in references(parse_template(stage.sql)))
    if isinstance(stage, ApproveStage):
        for field, text in (
            ("question", stage.question),
            *((f"show.{key}", stage.show[key]) for key in stage.show),
        ):
            yield from ((reference, field) for reference in references(parse_template(text)))


def problems_of(spec: PipelineSpec, unread: frozenset[str] = frozenset()) -> list[Problem]:
    """Every mistake that only shows when the stages are seen together; empty for a sound spec.

    Args:
        spec: the pipeline.
        unread: stages that exist but could not be read; what refers to them is not judged.
    """
    found = [problem for name in spec.stages for problem in _stage_problems(spec, name, unread)]
    cycle = _cycle(spec)
    return found + (cycle or list(declassify_problems(spec, needs)))


def _stage_problems(spec: PipelineSpec, name: str, unread: frozenset[str]) -> Iterator[Problem]:
    stage, at = spec.stages[name], ("stages", name)
    known = {*spec.stages, *unread}
    if name in RESERVED_STAGES:
        yield Problem(path=at, message=f"{name!r} is a word of placeholders and cannot name a stage")
    for index, other in enumerate(stage.after):
        if other not in known or other == name:
            message = f"there is no other stage {other!r}{nearest(other, known)}"
            yield Problem(path=(*at, "after", index), message=message)
    for key, written in inputs_of(stage).items():
        if written.partition(".")[0] in unread:
            continue
        try:
            resolve(spec, written)
        except ValueError as error:
            yield Problem(path=(*at, "inputs", key), message=str(error))
    for reference, field in references_of(stage):
        if reference.stage in unread:
            continue
        yield from _reference_problems(spec, stage, reference, (*at, *field.split(".", 1)))
    yield from choice_problems(spec, name, unread)
    yield from foreach_problems(spec, name)
    if isinstance(stage, ApproveStage):
        yield from gate_problems(name, stage, _asked(spec, name))
    yield from _kind_problems(spec, stage, at, unread)


def _reference_problems(
    spec: PipelineSpec, stage: Stage, reference: Reference, path: Path
) -> Iterator[Problem]:
    placeholder = "{" + reference.text + "}"
    if reference.role == "metrics" or reference.role == "answer":
        yield from _stage_reference_problems(spec, reference, path)
        return
    if reference.role == "item" or reference.role == "index":
        if path[2] not in {"command", "env"}:
            yield Problem(
                path=path, message=f"{placeholder}: there are no items yet where they are asked for"
            )
        return
    names: dict[str, Collection[str]] = {
        "params": spec.params,
        "inputs": inputs_of(stage),
        "outputs": outputs_of(stage),
    }
    known = names[reference.role]
    if path[2] in {"sql", "foreach", "question", "show"} and reference.role != "params":
        takes = "{params.x}, {stage.metrics.name} and {stage.answer} only"
        what = "a question" if path[2] in {"question", "show"} else "a query"
        yield Problem(path=path, message=f"{placeholder}: {what} takes {takes}")
    elif path[2] == "env" and reference.role in {"inputs", "outputs"}:
        yield Problem(
            path=path,
            message=f"{placeholder}: env takes values of params, metrics and answers; pass paths as arguments",
        )
    elif reference.name not in known:
        yield Problem(
            path=path, message=f"{placeholder}: there is none of that name{nearest(reference.name, known)}"
        )


def _stage_reference_problems(spec: PipelineSpec, reference: Reference, path: Path) -> Iterator[Problem]:
    placeholder = "{" + reference.text + "}"
    source = spec.stages.get(reference.stage or "")
    if source is None:
        near = nearest(str(reference.stage), spec.stages)
        yield Problem(path=path, message=f"{placeholder}: there is no stage {reference.stage!r}{near}")
    elif reference.role == "answer":
        if not isinstance(source, ApproveStage):
            told = f"{placeholder}: stage {reference.stage!r} asks nobody; one of kind approve does"
            yield Problem(path=path, message=told)
    elif not has_metrics(spec, source):
        yield Problem(
            path=path, message=f"{placeholder}: stage {reference.stage!r} has no output named metrics"
        )


def _kind_problems(spec: PipelineSpec, stage: Stage, at: Path, unread: frozenset[str]) -> Iterator[Problem]:
    yield from (
        Problem(path=(*at, *where), message=told) for where, told in place_problems(spec, stage, unread)
    )
    if isinstance(stage, JobStage):
        for index, output in enumerate(stage.outputs):
            if output in stage.outputs[:index]:
                yield Problem(path=(*at, "outputs", index), message=f"output {output!r} is named twice")
    if isinstance(stage, LoadTableStage):
        yield from _column_problems(stage, at)
    if isinstance(stage, CopyStage):
        yield from _copy_problems(spec, stage, at)
    yield from (
        Problem(path=(*at, *where), message=told) for where, told in endpoint_problems(spec, stage, unread)
    )


def _asked(spec: PipelineSpec, name: str) -> Asked:
    """Who asks for the answer to a question, and who comes after it."""
    stages = spec.stages.items()
    wanted = any(
        name in {reference.stage for reference, _ in references_of(stage)}
        or name in {condition.stage for condition in conditions_of(stage)}
        for _, stage in stages
    )
    return Asked(wanted=wanted, after=tuple(other for other, stage in stages if name in stage.after))


def _column_problems(stage: LoadTableStage, at: Path) -> Iterator[Problem]:
    """Columns that differ in case alone are one to BigQuery."""
    seen: dict[str, str] = {}
    for index, column in enumerate(stage.columns):
        other = seen.get(column.name.lower())
        if other:
            message = f"column {column.name!r} is the same as {other!r} to BigQuery; give it another name"
            yield Problem(path=(*at, "schema", index, "name"), message=message)
        seen[column.name.lower()] = column.name


def _copy_problems(spec: PipelineSpec, stage: CopyStage, at: Path) -> Iterator[Problem]:
    if (stage.source is None) == (not stage.inputs):
        yield Problem(
            path=at, message="a copy takes either source, a URI, or inputs, an output of another stage"
        )
    if stage.source_on and stage.source is None:
        yield Problem(
            path=(*at, "source_on"), message="source_on goes with source; an input knows where it lies"
        )
    if (
        stage.source
        and stage.source_on
        and CLOUD_OF_SCHEME[locate(stage.source).scheme] != cloud_of(stage.source_on)
    ):
        yield Problem(path=(*at, "source_on"), message=f"{stage.source_on!r} does not hold {stage.source!r}")
    if stage.target and stage.target.endswith("/") != (shape_of(spec, stage) == "folder"):
        yield Problem(
            path=(*at, "target"),
            message=f"what is copied is a {shape_of(spec, stage)}; a folder's target ends in /, a file's does not",
        )


def shape_of(spec: PipelineSpec, stage: Stage) -> ArtifactKind:
    """What a stage leaves, as far as it can be told: a job a folder, a copy what it copies."""
    for _ in spec.stages:
        if not isinstance(stage, CopyStage):
            return "folder"
        if stage.source:
            return "folder" if stage.source.endswith("/") else "file"
        producer = next(iter(stage.inputs.values()), "").partition(".")[0]
        if producer not in spec.stages:
            return "folder"
        stage = spec.stages[producer]
    return "folder"


def _cycle(spec: PipelineSpec) -> list[Problem]:
    try:
        order(spec)
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        return [
            Problem(path=("stages", error.args[1][0]), message=f"the stages wait for each other: {circle}")
        ]
    return []
