"""What placeholders come to: params and metrics become text, paths stay for the cloud's adapter to fill in."""

from contracts.errors import ErrorKind
from contracts.foreach import Item, as_text
from contracts.jobs import Argument, PathRef
from contracts.placeholders import Piece, Reference, parse_template, render, split_command
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.tables import Scalar
from workflows.book import Book
from workflows.outcomes import failed


def command_of(
    stage: CommandStage, spec: PipelineSpec, book: Book, item: Item | None = None
) -> tuple[Argument, ...]:
    """Return the stage's command, argument by argument, with params, metrics and the item filled in."""
    return tuple(
        tuple(_piece(piece, spec, book, item) for piece in pieces) for pieces in split_command(stage.command)
    )


def environment_of(
    stage: CommandStage, spec: PipelineSpec, book: Book, item: Item | None = None
) -> dict[str, str]:
    """Return the stage's environment with params, metrics and the item filled in."""
    return {
        name: render(parse_template(value), lambda reference: _text_of(reference, spec, book, item))
        for name, value in sorted(stage.env.items())
    }


def query_of(written: str, spec: PipelineSpec, book: Book) -> tuple[str, dict[str, Scalar]]:
    """Return the SQL with a named parameter for each placeholder, and the values to bind to them."""
    names: dict[str, str] = {}
    bound: dict[str, Scalar] = {}

    def bind(reference: Reference) -> str:
        if reference.text not in names:
            name = reference.text.replace(".", "_").replace("-", "_")
            name = f"{name}_{len(names)}" if name in bound else name
            names[reference.text] = name
            bound[name] = value_of(reference, spec, book)
        return f"@{names[reference.text]}"

    return render(parse_template(written), bind), bound


def value_of(reference: Reference, spec: PipelineSpec, book: Book) -> Scalar:
    """Return the value of a param, a metric or an answer.

    Raises:
        StageFailed: the stage left no metric of that name, or was not answered.
    """
    if reference.role == "params":
        return spec.params[reference.name]
    stage = str(reference.stage)
    if reference.role == "answer":
        return _answer_of(stage, book)
    metrics = book.stage(stage).metrics
    if reference.name not in metrics:
        there = ", ".join(sorted(metrics)) or "none"
        raise failed(
            ErrorKind.INVALID_REQUEST, f"stage {stage!r} left no metric {reference.name!r}; there is {there}"
        )
    value = metrics[reference.name]
    # A count is written 569, not 569.0: scripts read it with int().
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def _answer_of(stage: str, book: Book) -> Scalar:
    gate = book.stage(stage).gate
    if gate is None or gate.answer is None:
        raise failed(ErrorKind.INVALID_REQUEST, f"stage {stage!r} has no answer")
    return gate.answer


def _text_of(reference: Reference, spec: PipelineSpec, book: Book, item: Item | None) -> str:
    if reference.role not in {"item", "index"}:
        return as_text(value_of(reference, spec, book))
    if item is None:
        raise failed(
            ErrorKind.INVALID_REQUEST, f"{{{reference.text}}} has no meaning in a stage without foreach"
        )
    text = str(item.index) if reference.role == "index" else item.text(reference.name)
    if text is None:
        raise failed(ErrorKind.INVALID_REQUEST, f"item {item.index}, {item.brief}, has no {reference.name!r}")
    return text


def _piece(piece: Piece, spec: PipelineSpec, book: Book, item: Item | None) -> str | PathRef:
    if isinstance(piece, str):
        return piece
    if piece.role == "inputs" or piece.role == "outputs":
        return PathRef(role=piece.role, name=piece.name)
    return _text_of(piece, spec, book, item)
