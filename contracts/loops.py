"""Mistakes in what a stage runs over, as far as they show before a run. Pure functions of a spec."""

from collections.abc import Iterator

from contracts.foreach import ITEM_STAGE_LIMIT, Foreach
from contracts.mistakes import Path, Problem, nearest
from contracts.placeholders import Reference, parse_template, references, split_command
from contracts.queues import Cloud, cloud_of
from contracts.spec import PipelineSpec
from contracts.stages import JobStage

OBJECT_FIELDS = ("name", "size_bytes")


def foreach_problems(spec: PipelineSpec, name: str) -> Iterator[Problem]:
    """Mistakes in a stage's `foreach`, and in what its command asks of an item."""
    stage, at = spec.stages[name], ("stages", name)
    if not isinstance(stage, JobStage):
        return
    each = stage.foreach
    for reference, path in _items_asked(stage, at):
        wrong = _wrong(each, reference)
        if wrong:
            yield Problem(path=path, message=f"{{{reference.text}}}: {wrong}")
    if each is None:
        return
    if len(name) > ITEM_STAGE_LIMIT:
        told = f"{name!r} has {len(name)} characters; a stage with foreach has at most {ITEM_STAGE_LIMIT}, since the"
        yield Problem(path=at, message=f"{told} item's number goes into the job's name, which has 63")
    if each.objects is not None and each.objects not in stage.inputs:
        told = f"{each.objects!r} is no input of the stage{nearest(each.objects, stage.inputs)}"
        yield Problem(path=(*at, "foreach", "objects"), message=told)
    if each.query is not None and cloud_of(each.query_on) is not Cloud.GCP:
        told = f"{each.query_on!r} has no tables; write gcp"
        yield Problem(path=(*at, "foreach", "query_on"), message=told)


def _items_asked(stage: JobStage, at: Path) -> Iterator[tuple[Reference, Path]]:
    texts = [(piece, (*at, "command")) for piece in split_command(stage.command)]
    texts += [(parse_template(value), (*at, "env", name)) for name, value in stage.env.items()]
    for pieces, path in texts:
        for reference in references(pieces):
            if reference.role in {"item", "index"}:
                yield reference, path


def _wrong(each: Foreach | None, reference: Reference) -> str:
    """Say why an item has no such thing; empty when it has, or when that shows only in a run."""
    if each is None:
        return "the stage has no foreach, and so no items"
    if reference.role == "index" or not reference.name:
        return ""
    if each.objects is not None:
        return "" if reference.name in OBJECT_FIELDS else f"an object has {' and '.join(OBJECT_FIELDS)}"
    if each.numbers is not None:
        return "the items of a range are numbers; write {item}"
    for index, value in enumerate(each.values or ()):
        if not isinstance(value, dict):
            return f"item {index} is {value!r}, which has no fields; write {{item}}"
        if reference.name not in value:
            return f"item {index} has no {reference.name!r}{nearest(reference.name, value)}"
    return ""
