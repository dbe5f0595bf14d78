"""Conditions over params, metrics and answers: a small language of its own, read by a whitelist; nothing is ever executed.

`train.metrics.auc > params.floor and not params.dry`, numbers, texts, `true`, `false`, `+ - * / // %`, comparisons, `and`,
`or`, `not`, parentheses. A metric whose name is no word is written `train.metrics["roc-auc"]`.
"""

import ast
import math
import re
from collections.abc import Callable, Iterator
from typing import Literal

from contracts.expression_tree import (
    ARITHMETIC,
    COMPARISONS,
    WORDS,
    ExpressionError,
    Lookup,
    Name,
    Type,
    Types,
    Values,
    name_in,
    wrong_at,
)
from contracts.model import Message
from contracts.tables import Scalar

LENGTH_LIMIT = 1000
DEPTH_LIMIT = 50
_BEST = re.compile(r"\s*(?P<best>max|min)\s*\((?P<inner>.*)\)\s*", re.DOTALL)


class Expression:
    """A condition or a figure that has been read and holds nothing but what is allowed."""

    def __init__(self, text: str, tree: ast.expr) -> None:
        """Hold a checked tree; `parse` makes it."""
        self.text = text
        self._tree = tree

    def names(self) -> Iterator[Name]:
        """What it asks for, in its order, each once."""
        found: dict[str, Name] = {}
        for node in ast.walk(self._tree):
            name = name_in(node)
            if name:
                found.setdefault(name.text, name)
        return iter(sorted(found.values(), key=lambda name: name.column))

    def type(self, of: Callable[[Name], Type]) -> Type:
        """What it comes to.

        Raises:
            ExpressionError: an operator does not take what stands beside it.
        """
        return Types(self.text, of).of(self._tree)

    def value(self, lookup: Lookup) -> Scalar:
        """Work it out.

        Raises:
            ExpressionError: a division by zero, a number too large, or what `lookup` raises.
        """
        try:
            found: Scalar = Values(lookup).of(self._tree)
        except ZeroDivisionError:
            raise ExpressionError(f"{self.text!r} divides by zero") from None
        except OverflowError:
            raise ExpressionError(f"{self.text!r} comes to a number too large") from None
        if isinstance(found, float) and not math.isfinite(found):
            raise ExpressionError(f"{self.text!r} comes to no finite number")
        return found


class Best(Message):
    """How the best of several is found: the largest or the smallest of a figure."""

    best: Literal["max", "min"]
    figure: str

    @property
    def expression(self) -> Expression:
        """What each candidate is judged by."""
        return parse(self.figure)


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        ExpressionError: it is none, or holds what is not allowed; the message says in which column.
    """
    if len(text) > LENGTH_LIMIT:
        raise ExpressionError(
            f"an expression of {len(text)} characters is too long; {LENGTH_LIMIT} are allowed"
        )
    if "\n" in text.strip():
        raise ExpressionError("an expression stands on one line")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(
            f"column {error.offset or 1}: {text.strip()!r} cannot be read: {error.msg}"
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError(f"{text[:60]!r} cannot be read") from None
    _check(text.strip(), tree, DEPTH_LIMIT)
    return Expression(text.strip(), tree)


def parse_best(text: str) -> Best:
    """Read `max(metrics.auc)` or `min(...)`.

    Raises:
        ExpressionError: it is another form, or asks for anything but `metrics.x` and `params.x`.
    """
    found = _BEST.fullmatch(text)
    if not found:
        raise ExpressionError(f"{text!r} is no choice; write max(metrics.auc) or min(metrics.loss)")
    read = parse(found["inner"])
    names = list(read.names())
    for name in names:
        if name.stage:
            raise ExpressionError(
                f"{name.text}: each candidate is judged by its own metrics; write metrics.{name.name or 'x'}"
            )
    if not any(name.stage == "" for name in names):
        raise ExpressionError(f"{text!r} asks for no metric, so that all candidates would be alike")
    return Best(best="max" if found["best"] == "max" else "min", figure=read.text)


def written(value: Scalar) -> str:
    """A value as an expression writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else f"{value[:57]}...")
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _check(text: str, node: ast.expr, depth: int) -> None:
    if depth == 0:
        raise wrong_at(text, node, "it is nested too deeply")
    if name_in(node):
        return
    if isinstance(node, ast.Constant):
        if not isinstance(node.value, bool | int | float | str):
            raise wrong_at(text, node, f"{node.value!r} is no number, text, true or false")
        return
    for child in _parts(text, node):
        _check(text, child, depth - 1)


def _parts(text: str, node: ast.expr) -> list[ast.expr]:
    """The parts of an operation that is allowed."""
    if isinstance(node, ast.BoolOp):
        return node.values
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.UAdd):
        return [node.operand]
    if isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        return [node.left, node.right]
    if isinstance(node, ast.Compare) and all(type(op) in COMPARISONS for op in node.ops):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Name) and node.id in WORDS:
        return []
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        said = ast.unparse(node)
        raise wrong_at(
            text,
            node,
            f"{said!r} is no value; write params.x, stage.metrics.x or stage.answer, and texts in quotes",
        )
    raise wrong_at(
        text,
        node,
        f"{ast.unparse(node)[:60]!r} is not allowed; there are + - * / // %, comparisons, and, or, not",
    )
