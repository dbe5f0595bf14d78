"""Mistakes in a spec as lines a person can jump to: file, line, field, what is wrong, what would be right."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from contracts.approvals import ApproveStage
from contracts.inference import BatchPredictStage, DeployStage, InvokeStage, RetireStage
from contracts.machines import Resources
from contracts.mistakes import nearest
from contracts.policy import DataClass, EgressLimit, Tightening
from contracts.spec import Defaults, PipelineSpec
from contracts.stage_base import Expect
from contracts.stages import CopyStage, JobStage, LoadTableStage, PickStage, QueryStage
from contracts.tables import Column
from starter.exits import StarterError
from starter.spec.document import Path

_STAGES: dict[str, type[BaseModel]] = {
    "copy": CopyStage,
    "process": JobStage,
    "train": JobStage,
    "predict": JobStage,
    "load_table": LoadTableStage,
    "query": QueryStage,
    "batch_predict": BatchPredictStage,
    "deploy": DeployStage,
    "invoke": InvokeStage,
    "retire": RetireStage,
    "pick": PickStage,
    "approve": ApproveStage,
}
_RULES: dict[Any, type[BaseModel]] = {"classes": DataClass, "max_egress": EgressLimit}
_FORMS = ("literal[", "dict[", "function-before[")
"""What pydantic calls the forms that one field may have."""
_PATTERNS = {
    "pipeline": "a lower-case letter, then letters, digits and -, at most 40 characters",
    "stages": "a lower-case letter, then letters, digits and _, at most 32 characters",
    "outputs": "a lower-case letter, then letters, digits and _, at most 32 characters",
    "workflow": "a letter, then letters, digits, _ and -, at most 64 characters",
    "accelerator": "a model and how many of it, such as A10:1",
    "params": "letters, digits and _, not beginning with a digit",
    "table": "dataset.table or project.dataset.table",
}


@dataclass(frozen=True, order=True)
class Mistake:
    """One mistake of a spec."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """As editors and people read it."""
        return f"{self.file}:{self.line}: {self.field + ': ' if self.field else ''}{self.message}"


class SpecError(StarterError):
    """A spec has mistakes; all of them at once."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        """Hold the mistakes, by line."""
        self.mistakes = sorted(set(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


def spec_mistakes(error: ValidationError) -> list[tuple[Path, str]]:
    """Return path and message of each mistake that the models found."""
    found = error.errors(include_url=False)
    inner = {details["loc"][:-depth] for details in found for depth in range(1, len(details["loc"]))}
    # A list that lost a wrong item is also "too short": only the item is the mistake.
    told = [item for item in found if not (item["type"] == "too_short" and item["loc"] in inner)]
    told = [item for item in told if not _is_of_another_form(item)]
    return [(_path(details), _message(details)) for details in told]


def _is_of_another_form(details: ErrorDetails) -> bool:
    """Whether a value that may be a single one or a mapping is blamed for not being the other."""
    given = isinstance(details["input"], dict)
    if details["type"] == "dict_type" and str(details["loc"][-1]).startswith("dict["):
        return not given
    return given and str(details["loc"][-1]).startswith("function-before[")


def _path(details: ErrorDetails) -> Path:
    """The path as the person wrote it: without the names pydantic gives to variants and keys."""
    path = tuple(part for part in details["loc"] if part not in {"[key]", "Share"})
    path = tuple(part for part in path if not str(part).startswith(_FORMS))
    if path[:1] == ("stages",) and len(path) > 2 and path[2] in _STAGES:
        path = (*path[:2], *path[3:])
    if path[:1] == ("params",):
        path = path[:2]
    if details["type"] == "union_tag_invalid":
        path = (*path, "kind")
    return path


def _message(details: ErrorDetails) -> str:
    path, kind, context = details["loc"], details["type"], details.get("ctx", {})
    last = str(path[-1]) if path else ""
    if kind == "extra_forbidden":
        return f"unknown field {last!r}{nearest(last, _fields_at(path[:-1]))}"
    if kind == "missing":
        return f"the field {last!r} is missing"
    if kind == "union_tag_invalid":
        return f"unknown kind {context.get('tag')}{nearest(str(context.get('tag')).strip(chr(39)), _STAGES)}"
    if kind == "union_tag_not_found":
        return f"the field 'kind' is missing; it is one of {', '.join(_STAGES)}"
    if kind == "string_pattern_mismatch":
        return f"{details['input']!r} does not fit; write {_pattern_words(path, context)}"
    if kind == "literal_error":
        return f"{details['input']!r} is not one of {context.get('expected')}"
    message = details["msg"].removeprefix("Value error, ")
    return (
        message
        if kind == "value_error"
        else f"{_shown(details['input'])}: {message[:1].lower()}{message[1:]}"
    )


def _pattern_words(path: tuple[Any, ...], context: dict[str, Any]) -> str:
    for part in reversed(path):
        if part in _PATTERNS:
            return _PATTERNS[str(part)]
    return f"text like {context.get('pattern')}"


def _fields_at(path: tuple[Any, ...]) -> list[str]:
    models: tuple[type[BaseModel], ...]
    if path[:1] == ("stages",) and len(path) >= 3 and path[2] in _STAGES:
        inner: dict[Any, type[BaseModel]] = {"resources": Resources, "schema": Column, "expect": Expect}
        models = (inner.get(path[3], _STAGES[path[2]]) if len(path) > 3 else _STAGES[path[2]],)
    elif path[:1] == ("policy",):
        models = (_RULES.get(path[1] if len(path) > 1 else "", Tightening),)
    else:
        models = (Defaults,) if path[:1] == ("defaults",) else (PipelineSpec,)
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
