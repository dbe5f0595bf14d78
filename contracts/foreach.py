"""What a job stage runs over, one job for each item. No cloud lives here."""

import json
from typing import Literal

from pydantic import Field, field_validator, model_validator

from contracts.artifacts import Artifact
from contracts.model import Declared, Message
from contracts.placeholders import parse_template
from contracts.queues import normalise
from contracts.tables import Scalar

ITEMS_LIMIT = 10_000
ITEM_STAGE_LIMIT = 26
"""Characters of a fan-out's name: the item's number goes into the job's name, which has 63."""
PARALLEL_LIMIT = 100
Fields = dict[str, Scalar | None]
Value = Scalar | Fields


class Share(Declared):
    """Which share of the items must succeed."""

    at_least: float = Field(gt=0, le=1, allow_inf_nan=False)
    """As a number above 0 and up to 1, such as `0.95`."""


Failures = Literal["fail_fast", "continue"] | Share


class Foreach(Declared):
    """What a stage runs over: exactly one of `list`, `range`, `query` and `objects`."""

    values: tuple[Value, ...] | None = Field(default=None, alias="list", min_length=1, max_length=ITEMS_LIMIT)
    """Numbers, texts, or mappings of them."""
    numbers: tuple[int, ...] | None = Field(default=None, alias="range", min_length=1, max_length=3)
    """As Python's: `24`, or `[first, end]`, or `[first, end, step]`."""
    query: str | None = Field(default=None, min_length=1)
    """SQL, of which each row is an item."""
    query_on: str = "gcp"
    """The connection that has the tables."""
    objects: str | None = None
    """An input of the stage: each of its objects is an item, and for that item the input is this object alone."""
    max_parallel: int = Field(default=10, ge=1, le=PARALLEL_LIMIT)
    """Items at once."""
    failures: Failures = "fail_fast"
    """When an item is out of retries: `fail_fast` stops the others; `continue` takes what succeeds, at least one;
    `at_least: 0.95` fails once that share is out of reach."""

    @field_validator("numbers", mode="before")
    @classmethod
    def _one_number(cls, value: object) -> object:
        return (value,) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("numbers")
    @classmethod
    def _countable(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None:
            if len(value) == 3 and value[2] == 0:
                raise ValueError("a range with a step of 0 has no end")
            count = len(range(*value))
            if not 1 <= count <= ITEMS_LIMIT:
                raise ValueError(f"the range has {count} numbers; 1 to {ITEMS_LIMIT} are allowed")
        return value

    @field_validator("query")
    @classmethod
    def _sql(cls, value: str | None) -> str | None:
        if value is not None:
            parse_template(value)
        return value

    @field_validator("query_on")
    @classmethod
    def _connection(cls, value: str) -> str:
        return normalise(value)

    @model_validator(mode="after")
    def _exactly_one(self) -> "Foreach":
        given = [self.values, self.numbers, self.query, self.objects]
        if sum(part is not None for part in given) != 1:
            raise ValueError("foreach takes exactly one of list, range, query and objects")
        return self


class Item(Message):
    """One of the things that a stage runs over."""

    index: int
    value: Value
    object: Artifact | None = None
    """Of an item that is an object: the object."""

    def text(self, field: str = "") -> str | None:
        """The item, or a field of it, as a command gets it; None when it has no such field."""
        if not field:
            return json.dumps(self.value) if isinstance(self.value, dict) else as_text(self.value)
        if not isinstance(self.value, dict) or field not in self.value:
            return None
        found = self.value[field]
        return "" if found is None else as_text(found)

    @property
    def brief(self) -> str:
        """The item in a few words."""
        text = self.text() or ""
        return text if len(text) <= 80 else f"{text[:77]}..."


def item_stage(stage: str, index: int) -> str:
    """What an item's job calls its stage: no stage of a spec has this name, and no two items have one."""
    return f"{stage}-{index}"


def as_text(value: Scalar) -> str:
    """Write a value as YAML would: `true`, `7`, `0.25`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def required(failures: Failures, items: int) -> int:
    """How many of so many items must succeed."""
    if isinstance(failures, Share):
        return max(1, -(-round(failures.at_least * items * 1_000_000) // 1_000_000))
    return items if failures == "fail_fast" else 1
