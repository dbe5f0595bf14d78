"""Mistakes in stages that ask a person, as far as they show before a run. Pure functions of a spec."""

from collections.abc import Iterator

from contracts.approvals import YES_NO, ApproveStage, read_answer
from contracts.mistakes import Path, Problem
from contracts.model import Message

_AMBIGUOUS = {"metrics": "the metrics of a candidate", "item": "an item of foreach"}


class Asked(Message):
    """Who else in the spec has to do with an answer."""

    wanted: bool
    """Whether a stage asks for it."""
    after: tuple[str, ...]
    """Stages that come after it."""


def gate_problems(name: str, stage: ApproveStage, asked: Asked) -> Iterator[Problem]:
    """Mistakes in a stage that asks a person."""
    at: Path = ("stages", name)
    if name in _AMBIGUOUS:
        told = f"{name}.answer would be read as {_AMBIGUOUS[name]}; give the stage another name"
        yield Problem(path=at, message=told)
    if stage.answer != "choice" and stage.choices != YES_NO:
        yield Problem(path=(*at, "choices"), message=f"choices go with answer: choice, not {stage.answer}")
    for index, choice in enumerate(stage.choices):
        if choice in stage.choices[:index]:
            yield Problem(path=(*at, "choices", index), message=f"{choice!r} is named twice")
    yield from _default_problems(stage, at)
    if asked.after and not asked.wanted and (stage.answer != "choice" or len(stage.choices) > 1):
        test = f"{name}.answer" + (f' == "{stage.choices[0]}"' if stage.answer == "choice" else "")
        test += " > 0" if stage.answer == "number" else ' == "yes"' if stage.answer == "string" else ""
        told = f"{', '.join(asked.after)} would run whatever the answer is; give it `when: {test}`"
        yield Problem(path=at, message=told)


def _default_problems(stage: ApproveStage, at: Path) -> Iterator[Problem]:
    if stage.default is None:
        return
    if stage.timeout is None:
        told = "a default is what holds when the timeout has passed; write timeout, such as 2h"
        yield Problem(path=(*at, "default"), message=told)
    try:
        read_answer(stage, stage.default)
    except ValueError as error:
        yield Problem(path=(*at, "default"), message=str(error))
