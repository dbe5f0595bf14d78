"""What choosing does to the graph: conditions, picks, and what they come to leave. Pure functions of a spec."""

from collections.abc import Iterator

from contracts.approvals import TYPES, ApproveStage
from contracts.expression_tree import ExpressionError, Name, Type, type_of
from contracts.expressions import parse, parse_best
from contracts.mistakes import Path, Problem, nearest
from contracts.spec import PipelineSpec
from contracts.stages import PickStage, QueryStage, Stage, outputs_of


def leaves(spec: PipelineSpec, name: str) -> tuple[str, ...]:
    """The stages whose outputs a stage's are: itself, or of a pick all that it may come to pick, each once."""
    found: dict[str, None] = {}
    _gather_leaves(spec, name, found, set())
    return tuple(found)


def outputs_in(spec: PipelineSpec, name: str) -> tuple[str, ...]:
    """The names of what a stage leaves; of a pick, what all of its candidates leave."""
    ends = [outputs_of(spec.stages[leaf]) for leaf in leaves(spec, name)]
    return tuple(output for output in ends[0] if all(output in end for end in ends)) if ends else ()


def has_metrics(spec: PipelineSpec, stage: Stage) -> bool:
    """Whether a stage leaves numbers that others can use."""
    return isinstance(stage, QueryStage | PickStage) or "metrics" in outputs_of(stage)


def conditions_of(stage: Stage) -> tuple[Name, ...]:
    """What a stage's `when` asks for."""
    return tuple(parse(stage.when).names()) if stage.when else ()


def choice_problems(spec: PipelineSpec, name: str, unread: frozenset[str]) -> Iterator[Problem]:
    """Mistakes in a stage's condition, and in what a pick picks from."""
    stage, at = spec.stages[name], ("stages", name)
    if stage.when:
        yield from _condition_problems(spec, stage.when, (*at, "when"), unread)
    if isinstance(stage, PickStage):
        yield from _candidate_problems(spec, name, stage, unread)
        yield from _figure_problems(spec, stage.by, (*at, "by"))


def _condition_problems(spec: PipelineSpec, text: str, at: Path, unread: frozenset[str]) -> Iterator[Problem]:
    condition = parse(text)
    known = True
    for name in condition.names():
        if name.stage in unread:
            known = False
            continue
        wrong = _unknown(spec, name)
        if wrong:
            known = False
            yield Problem(path=at, message=f"column {name.column}: {wrong}")
    if not known:
        return
    try:
        found = condition.type(lambda name: _type(spec, name))
    except ExpressionError as error:
        yield Problem(path=at, message=str(error))
        return
    if found != "true or false":
        yield Problem(path=at, message=f"{text!r} is {found}; a condition compares, such as {text} > 0")


def _unknown(spec: PipelineSpec, name: Name) -> str:
    """Say what is wrong with a name of a condition; empty when nothing is."""
    if name.stage is None:
        there = name.name in spec.params
        return "" if there else f"there is no param {name.name!r}{nearest(name.name, spec.params)}"
    if not name.stage:
        return f"{name.text}: say of which stage; write stage.{name.text}"
    if name.stage not in spec.stages:
        return f"{name.text}: there is no stage {name.stage!r}{nearest(name.stage, spec.stages)}"
    if name.answer:
        asks = isinstance(spec.stages[name.stage], ApproveStage)
        return "" if asks else f"{name.text}: stage {name.stage!r} asks nobody; one of kind approve does"
    if not has_metrics(spec, spec.stages[name.stage]):
        return f"{name.text}: stage {name.stage!r} has no output named metrics"
    return ""


def _candidate_problems(
    spec: PipelineSpec, name: str, stage: PickStage, unread: frozenset[str]
) -> Iterator[Problem]:
    for index, candidate in enumerate(stage.candidates):
        at = ("stages", name, "from", index)
        if candidate in unread:
            continue
        if candidate == name or candidate not in spec.stages:
            said = f"there is no other stage {candidate!r}{nearest(candidate, spec.stages)}"
            yield Problem(path=at, message=said)
        elif candidate in stage.candidates[:index]:
            yield Problem(path=at, message=f"{candidate!r} is named twice")
        elif not has_metrics(spec, spec.stages[candidate]):
            said = f"{candidate!r} has no output named metrics, by which it could be judged"
            yield Problem(path=at, message=said)


def _figure_problems(spec: PipelineSpec, by: str, at: Path) -> Iterator[Problem]:
    figure = parse_best(by).expression
    for name in figure.names():
        if name.stage is None and name.name not in spec.params:
            yield Problem(
                path=at, message=f"there is no param {name.name!r}{nearest(name.name, spec.params)}"
            )
            return
    try:
        found = figure.type(lambda name: _type(spec, name))
    except ExpressionError as error:
        yield Problem(path=at, message=str(error))
        return
    if found != "a number":
        yield Problem(path=at, message=f"{by!r} is {found}; the best of several is found by a number")


def _type(spec: PipelineSpec, name: Name) -> Type:
    if name.stage is None:
        return type_of(spec.params[name.name])
    stage = spec.stages.get(name.stage)
    return TYPES[stage.answer] if name.answer and isinstance(stage, ApproveStage) else "a number"


def _gather_leaves(spec: PipelineSpec, name: str, found: dict[str, None], seen: set[str]) -> None:
    stage = spec.stages.get(name)
    if stage is None or name in seen:
        return
    seen.add(name)
    if isinstance(stage, PickStage):
        for candidate in stage.candidates:
            _gather_leaves(spec, candidate, found, seen)
    else:
        found[name] = None
