"""What policies say of a pipeline before any worker is asked: where regions are not known they are judged at the plan."""

from pathlib import Path

from pydantic import ValidationError

from contracts.classes import unknown_classes
from contracts.judging import Judge
from contracts.policy import Policy, Violation, told_of
from contracts.spec import PipelineSpec
from starter.exits import StarterError
from starter.spec.document import Document, SyntaxProblem, parse
from starter.spec.problems import Mistake, SpecError


def read_policy(file: Path) -> Policy:
    """Read a policy as workers do.

    Raises:
        SpecError: it has mistakes; each with its line.
        StarterError: there is no such file.
    """
    document = _document(file)
    try:
        return Policy.model_validate(document.value)
    except ValidationError as error:
        found = [
            (
                tuple(part for part in item["loc"] if part != "[key]"),
                item["msg"].removeprefix("Value error, "),
            )
            for item in error.errors(include_url=False, include_input=False)
        ]
    raise SpecError([_mistake(file, document, path, message) for path, message in found])


def judged(file: Path, spec: PipelineSpec, policy: Policy | None) -> tuple[Violation, ...]:
    """Return the rules that somebody has to waive before a run of this pipeline begins.

    Raises:
        SpecError: the pipeline breaks a rule that nobody may waive, or names a class that there is not.
    """
    document = _document(file)
    judge = Judge(spec, policy, {})
    broken = tuple(judge.offline())
    unknown = unknown_classes(spec, judge.policies) if policy else ()
    mistakes = [_mistake(file, document, problem.path, problem.message) for problem in unknown]
    mistakes += [
        _mistake(file, document, ("stages", item.stage), told_of(item))
        for item in broken
        if not item.may_waive
    ]
    if mistakes:
        raise SpecError(mistakes)
    return broken


def _document(file: Path) -> Document:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except SyntaxProblem as problem:
        raise SpecError([Mistake(str(file), problem.line, "", problem.message)]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StarterError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _mistake(file: Path, document: Document, path: tuple[str | int, ...], message: str) -> Mistake:
    return Mistake(str(file), document.line_of(path), ".".join(map(str, path)), message)
