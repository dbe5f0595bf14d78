"""One object on its way from one room to another, by whichever verbs the pair needs: pulled, or pushed."""

from dataclasses import dataclass
from typing import Any

from temporalio.testing import ActivityEnvironment

from contracts.artifacts import ObjectStat
from contracts.copies import (
    CommitRequest,
    CopyItem,
    CopyRequest,
    MeasurePartsRequest,
    PartGrantRequest,
    PushPartsRequest,
    PushRequest,
    SealRequest,
)
from contracts.grants import MeasureRequest, ReadGrantRequest, WriteGrantRequest, WriteIntent
from contracts.parts import PART_BYTES, parts_of

OWNER = "run/faults"


@dataclass(frozen=True)
class Journey:
    """Where an object lies, and where it is to lie."""

    source: Any
    target: Any
    stat: ObjectStat
    uri: str

    def attempt(self) -> bool:
        """Go as far as one attempt goes; whether nothing is left to do."""
        if self.source.cloud != "onprem":
            return self._pulled()
        return self._pushed_in_parts() if self.stat.size_bytes > PART_BYTES else self._pushed()

    def _pulled(self) -> bool:
        (grant,) = run(self.source.storage.grant_read, ReadGrantRequest(objects=(self.stat,))).grants
        item = CopyItem(source=self.stat, target=self.uri, grant=grant)
        return not run(self.target.storage.copy, CopyRequest(items=(item,), owner=OWNER)).remaining

    def _pushed(self) -> bool:
        (measure,) = run(self.source.storage.measure, MeasureRequest(objects=(self.stat,))).measures
        intents = (WriteIntent(target=self.uri, measure=measure, owner=OWNER),)
        grants = run(self.target.storage.grant_write, WriteGrantRequest(intents=intents)).grants
        if run(self.source.storage.push, PushRequest(grants=grants)).remaining:
            return False
        return bool(run(self.target.storage.commit, CommitRequest(intents=intents)).objects)

    def _pushed_in_parts(self) -> bool:
        numbers = tuple(range(parts_of(self.stat.size_bytes)))
        asked = MeasurePartsRequest(source=self.stat, parts=numbers)
        parts = run(self.source.storage.measure_parts, asked).parts
        wanted = PartGrantRequest(source=self.stat, target=self.uri, parts=parts, owner=OWNER)
        grants = run(self.target.storage.grant_parts, wanted).grants
        push = PushPartsRequest(source=self.stat, grants=grants)
        if grants and run(self.source.storage.push_parts, push).cut:
            return False
        seal = SealRequest(source=self.stat, target=self.uri, parts=parts, owner=OWNER, pushed=True)
        return bool(run(self.target.storage.seal, seal))


def run(verb: Any, request: Any) -> Any:
    return ActivityEnvironment().run(verb, request)
