"""A pick: the best of several stages by a figure of their metrics. It touches nothing; it is a decision."""

from contracts.choices import outputs_in
from contracts.errors import ErrorKind
from contracts.expression_tree import ExpressionError, Name
from contracts.expressions import parse_best
from contracts.results import Candidate, Choice, Winner
from contracts.runs import StagePhase, StageStatus
from contracts.stages import PickStage
from contracts.tables import Scalar
from workflows.context import RunContext
from workflows.outcomes import Outcome, failed


def pick(context: RunContext, name: str, stage: PickStage) -> Outcome:
    """Choose; what the chosen stage left is what this one leaves, and it lies where that one ran.

    Raises:
        StageFailed: fewer candidates than were asked for have the figure.
    """
    best, book = parse_best(stage.by), context.book
    judged = [_judged(context, stage.by, candidate) for candidate in stage.candidates]
    scores = [(candidate, candidate.score) for candidate in judged if candidate.score is not None]
    if len(scores) < stage.at_least:
        said = "; ".join(f"{candidate.stage}: {candidate.why or candidate.score}" for candidate in judged)
        wanted = f"{len(scores)} of {len(judged)} candidates have {best.figure}, and {stage.at_least} must"
        raise failed(ErrorKind.INVALID_REQUEST, f"{wanted}: {said}")
    # The first of equals: `max` and `min` keep the order of the spec.
    chosen, _ = (max if best.best == "max" else min)(scores, key=lambda pair: pair[1])
    held = book.stage(chosen.stage)
    origin = held.choice.stage if held.choice else chosen.stage
    won = _winner(held, stage.by)
    left = won.outputs if won else held.outputs
    outputs = {output: left[output] for output in outputs_in(context.request.spec, name)}
    told = [one.model_copy(update={"picked": one.stage == chosen.stage}) for one in judged]
    item = held.choice.item if held.choice else chosen.item
    choice = Choice(by=stage.by, stage=origin, item=item, candidates=tuple(told))
    book.change(name, connection=held.connection)
    return Outcome(outputs=outputs, metrics=won.metrics if won else held.metrics, choice=choice)


def words_of(outcome: Outcome) -> str:
    """Say in a line what was picked and by what, or how many items there were; nothing of other stages."""
    choice = outcome.choice
    if choice is None:
        taken = f"taken over from {outcome.taken_from}" if outcome.taken_from else ""
        return "; ".join(filter(None, (taken, outcome.fanout.words if outcome.fanout else "")))
    said = [
        f"{one.stage} {one.score:.6g}" if one.score is not None else f"{one.stage} none"
        for one in choice.candidates
    ]
    item = "" if choice.item is None else f" item {choice.item}"
    return f"picked {choice.stage}{item} by {choice.by}: {', '.join(said)}"


def _winner(held: StageStatus, by: str) -> Winner | None:
    """The best item of a fan-out."""
    return next((won for won in held.fanout.winners if won.by == by), None) if held.fanout else None


def _judged(context: RunContext, by: str, name: str) -> Candidate:
    held = context.book.stage(name)
    if held.phase is StagePhase.SKIPPED:
        return Candidate(stage=name, why=f"was skipped: {held.note}")
    best = parse_best(by)
    if held.fanout:
        won = _winner(held, by)
        if won is None:
            return Candidate(stage=name, why=f"no item has {best.figure}")
        return Candidate(stage=name, item=won.index, score=won.score)
    try:
        score = best.expression.value(lambda asked: _value(context, held, asked))
    except (ExpressionError, KeyError) as error:
        return Candidate(stage=name, why=str(error.args[0]))
    return Candidate(stage=name, score=float(score))


def _value(context: RunContext, held: StageStatus, asked: Name) -> Scalar:
    if asked.stage is None:
        return context.request.spec.params[asked.name]
    if asked.name not in held.metrics:
        there = ", ".join(sorted(held.metrics)) or "none"
        raise KeyError(f"left no metric {asked.name!r}; there is {there}")
    return held.metrics[asked.name]
