"""What an expression is made of: names, operators, their types and their values. Trees are checked before they come here."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from contracts.model import Message
from contracts.tables import Scalar

Type = Literal["a number", "a text", "true or false"]
ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
WORDS = {"true": True, "false": False, "True": True, "False": False}


class ExpressionError(ValueError):
    """An expression cannot be read or has no value; says where in it and why."""


class Name(Message):
    """What an expression asks for: `params.x`, `stage.metrics.x`, `stage.answer`, or in a choice a candidate's `metrics.x`."""

    stage: str | None
    """Of a metric or an answer: its stage; empty for the candidate's own. None for a param."""
    name: str
    """Empty for an answer."""
    column: int

    @property
    def text(self) -> str:
        """As its author wrote it."""
        if self.stage is None:
            return f"params.{self.name}"
        if self.answer:
            return f"{self.stage}.answer"
        metric = f"metrics.{self.name}" if self.name.isidentifier() else f'metrics["{self.name}"]'
        return f"{self.stage}.{metric}" if self.stage else metric

    @property
    def answer(self) -> bool:
        """Whether it is what a person answered."""
        return bool(self.stage) and not self.name


Lookup = Callable[[Name], Scalar]


def type_of(value: Scalar) -> Type:
    """What a value is, in the words of a message."""
    if isinstance(value, bool):
        return "true or false"
    return "a text" if isinstance(value, str) else "a number"


def name_in(node: ast.AST) -> Name | None:
    """Read `params.x`, `metrics.x`, `stage.metrics.x`, or the same with `["x"]`; or `stage.answer`."""
    name: object
    if isinstance(node, ast.Attribute):
        owner, name, column = node.value, node.attr, node.col_offset + 1
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        owner, name, column = node.value, node.slice.value, node.col_offset + 1
    else:
        return None
    if not isinstance(name, str) or not name:
        return None
    if isinstance(owner, ast.Name) and owner.id in {"params", "metrics"}:
        return Name(stage=None if owner.id == "params" else "", name=name, column=column)
    if isinstance(owner, ast.Attribute) and owner.attr == "metrics" and isinstance(owner.value, ast.Name):
        return Name(stage=owner.value.id, name=name, column=column)
    if isinstance(node, ast.Attribute) and name == "answer" and isinstance(owner, ast.Name):
        return Name(stage=owner.id, name="", column=column)
    return None


def wrong_at(text: str, node: ast.expr, why: str) -> ExpressionError:
    """Say what is wrong with a part, and where it stands."""
    return ExpressionError(f"column {node.col_offset + 1} of {text!r}: {why}")


class Types:
    """What an expression's parts are, without their values."""

    def __init__(self, text: str, of: Callable[[Name], Type]) -> None:
        self._text = text
        self._of = of

    def of(self, node: ast.expr) -> Type:
        """Return the type of a part."""
        if name := name_in(node):
            return self._of(name)
        if isinstance(node, ast.Constant):
            return type_of(node.value)  # type: ignore[arg-type] # checked when it was read
        if isinstance(node, ast.Name):
            return "true or false"
        if isinstance(node, ast.BoolOp):
            return self._all(node.values, "true or false")
        if isinstance(node, ast.UnaryOp):
            return self._all([node.operand], "true or false" if isinstance(node.op, ast.Not) else "a number")
        if isinstance(node, ast.BinOp):
            return self._all([node.left, node.right], "a number")
        if isinstance(node, ast.Compare):
            return self._compared(node)
        raise AssertionError("unreachable: the tree was checked")

    def _all(self, nodes: list[ast.expr], wanted: Type) -> Type:
        for node in nodes:
            found = self.of(node)
            if found != wanted:
                raise wrong_at(
                    self._text, node, f"{ast.unparse(node)!r} is {found}, where {wanted} is needed"
                )
        return wanted

    def _compared(self, node: ast.Compare) -> Type:
        first = self.of(node.left)
        for op, other in zip(node.ops, node.comparators, strict=True):
            found = self.of(other)
            if found != first:
                raise wrong_at(
                    self._text, other, f"{ast.unparse(other)!r} is {found} and is compared with {first}"
                )
            if first == "true or false" and not isinstance(op, ast.Eq | ast.NotEq):
                raise wrong_at(self._text, other, "true and false have no order; write == or !=")
        return "true or false"


class Values:
    """Works out a checked tree."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def of(self, node: ast.expr) -> Any:
        """Return the value of a part."""
        if name := name_in(node):
            return self._lookup(name)
        if isinstance(node, ast.Constant):
            return node.value
        if isinstance(node, ast.Name):
            return WORDS[node.id]
        if isinstance(node, ast.BoolOp):
            found = (self.of(part) for part in node.values)
            return all(found) if isinstance(node.op, ast.And) else any(found)
        if isinstance(node, ast.UnaryOp):
            inner = self.of(node.operand)
            return (
                not inner
                if isinstance(node.op, ast.Not)
                else -inner
                if isinstance(node.op, ast.USub)
                else inner
            )
        if isinstance(node, ast.BinOp):
            return ARITHMETIC[type(node.op)](self.of(node.left), self.of(node.right))
        if isinstance(node, ast.Compare):
            sides = [self.of(node.left), *map(self.of, node.comparators)]
            return all(
                COMPARISONS[type(op)](one, other)
                for op, one, other in zip(node.ops, sides, sides[1:], strict=False)
            )
        raise AssertionError("unreachable: the tree was checked")
