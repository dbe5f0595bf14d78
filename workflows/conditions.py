"""Whether a stage runs at all: its own condition, and what it needs of stages that were skipped."""

from contracts.choices import conditions_of
from contracts.errors import ErrorKind
from contracts.expression_tree import ExpressionError, Name
from contracts.expressions import parse, written
from contracts.graph import references_of, resolve
from contracts.inference import InvokeStage, RetireStage
from contracts.placeholders import Reference, Role
from contracts.runs import StagePhase
from contracts.spec import PipelineSpec
from contracts.stages import PickStage, inputs_of
from contracts.tables import Scalar
from workflows.book import Book
from workflows.outcomes import failed
from workflows.values import value_of


def reason_to_skip(spec: PipelineSpec, book: Book, name: str) -> str:
    """Say why a stage whose needs have ended is skipped; empty when it runs.

    Raises:
        StageFailed: its condition cannot be told, such as for a metric that its stage did not leave.
    """
    stage = spec.stages[name]
    for needed, what in _used(spec, name):
        if book.stage(needed).phase is StagePhase.SKIPPED and not _given(spec, book, name, what):
            return f"needs {what}, and {needed} was skipped"
    if isinstance(stage, PickStage):
        skipped = [book.stage(candidate) for candidate in stage.candidates]
        if all(held.phase is StagePhase.SKIPPED and held.error is None for held in skipped):
            return "all of its candidates were skipped"
    return _unmet(spec, book, stage.when) if stage.when else ""


def _given(spec: PipelineSpec, book: Book, name: str, what: str) -> bool:
    """Whether what a stage needs is an input for which something stands, though its stage was skipped."""
    if what not in inputs_of(spec.stages[name]).values():
        return False
    wanted = resolve(spec, what)
    return wanted.output in book.stage(wanted.stage).outputs


def _unmet(spec: PipelineSpec, book: Book, text: str) -> str:
    """Say that a condition is false, with the values that made it so; empty when it is true."""
    condition = parse(text)

    def lookup(name: Name) -> Scalar:
        if name.stage is None:
            return spec.params[name.name]
        role: Role = "answer" if name.answer else "metrics"
        return value_of(Reference(role=role, stage=name.stage, name=name.name), spec, book)

    try:
        if condition.value(lookup):
            return ""
    except ExpressionError as error:
        raise failed(ErrorKind.INVALID_REQUEST, f"when: {error}") from None
    values = ", ".join(f"{name.text} = {written(lookup(name))}" for name in condition.names())
    return f"{text} is false" + (f" ({values})" if values else "")


def _used(spec: PipelineSpec, name: str) -> list[tuple[str, str]]:
    """The stages whose outputs, metrics or answers a stage cannot do without, and what it takes of each."""
    stage = spec.stages[name]
    used = [(taken.partition(".")[0], taken) for taken in inputs_of(stage).values()]
    used += [(reference.stage, reference.text) for reference, _ in references_of(stage) if reference.stage]
    if isinstance(stage, InvokeStage | RetireStage):
        used.append((stage.endpoint, f"the endpoint {stage.endpoint}"))
    return used + [(asked.stage, asked.text) for asked in conditions_of(stage) if asked.stage]
