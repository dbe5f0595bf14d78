"""What a drawing of a pipeline is drawn from: its stages, what passes between them, and in a run how they stand."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from rich.filesize import decimal

from contracts.artifacts import locate
from contracts.choices import leaves
from contracts.graph import needs, order, resolve
from contracts.places import leader_of
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.runs import RunStatus
from contracts.spec import PipelineSpec
from contracts.stage_base import StageBase
from contracts.stages import CopyStage, inputs_of

NOWHERE = "no cloud"
"""The lane of stages that run on no connection."""
SOURCE = "source"
"""The kind of a node that is no stage, but data that a copy reads."""


@dataclass(frozen=True)
class Node:
    """A stage, or data that were there before."""

    id: str
    label: str
    kind: str
    connection: str
    """Empty for a stage that runs nowhere."""
    state: str = ""
    """Empty in a plan that nobody runs."""
    chosen: str = ""
    """Of a stage that might have run elsewhere, once a place is chosen: why it is here."""
    lost: tuple[tuple[str, str], ...] = ()
    """Where else it might have run, each with why it does not."""

    @property
    def told(self) -> str:
        """Where it might have run and does not, with the reasons; empty of a stage without a choice."""
        return "; ".join(f"not {short(place)}: {why}" for place, why in self.lost)

    @property
    def brief(self) -> str:
        """Its kind, and where it might have run and does not."""
        return ", ".join((self.kind, *(f"not {short(place)}" for place, _ in self.lost)))

    @property
    def lane(self) -> str:
        """What it is drawn within."""
        return short(self.connection) or NOWHERE


@dataclass(frozen=True)
class Edge:
    """One node needs another."""

    source: str
    target: str
    artifacts: tuple[str, ...] = ()
    """Outputs that pass; empty where one stage only comes after the other, or uses its metrics."""
    crossing: bool = False
    """The artifacts lie on another connection: a transfer brings them."""
    moved_bytes: int | None = None
    """What the transfers of it sent, once they have."""

    @property
    def told(self) -> str:
        """What its label says."""
        words = ", ".join(self.artifacts)
        return words if self.moved_bytes is None else f"{words} {decimal(self.moved_bytes)}"


@dataclass(frozen=True)
class Flow:
    """A pipeline, or a run of it."""

    title: str
    nodes: tuple[Node, ...]
    """In an order that respects needs."""
    edges: tuple[Edge, ...]

    @property
    def lanes(self) -> tuple[str, ...]:
        """In the order in which data reach them; what runs nowhere comes last."""
        found = dict.fromkeys(node.lane for node in self.nodes)
        return tuple(sorted(found, key=lambda lane: lane == NOWHERE))


def flow_of(spec: PipelineSpec, status: RunStatus | None = None) -> Flow:
    """Return the pipeline as it is written, and with a status as it stands."""
    title = f"{spec.pipeline}/{status.run.key}" if status else spec.pipeline
    return Flow(title, tuple(_nodes(spec, status)), tuple(_edges(spec, status)))


def short(connection: str) -> str:
    """A connection as people write it: `aws`, `aws/eu`."""
    return connection.removesuffix("/default")


def _nodes(spec: PipelineSpec, status: RunStatus | None) -> Iterator[Node]:
    for name in order(spec):
        stage = spec.stages[name]
        if isinstance(stage, CopyStage) and stage.source:
            label = PurePosixPath(locate(stage.source).name).name
            yield Node(_source_id(name), label, SOURCE, _owner(stage))
        state = status.stages[name].phase.value if status and name in status.stages else ""
        yield Node(name, name, stage.kind, _on(spec, name, status), state, *_choice(status, name))


def _choice(status: RunStatus | None, name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Why a stage is where it is, and the places that lost."""
    held = status.stages.get(name) if status else None
    candidates = held.candidates if held else ()
    lost = tuple((one.connection, _line(one.why)) for one in candidates if not one.chosen)
    return next((_line(one.why) for one in candidates if one.chosen), ""), lost


def _line(text: str) -> str:
    return " ".join(text.split())


def _edges(spec: PipelineSpec, status: RunStatus | None) -> Iterator[Edge]:
    for name in order(spec):
        stage = spec.stages[name]
        if isinstance(stage, CopyStage) and stage.source:
            on = _on(spec, name, status)
            yield Edge(
                _source_id(name), name, ("data",), _owner(stage) != on, _moved(status, on, {f"{name}.data"})
            )
        for before in sorted(needs(spec, name)):
            yield _edge(spec, before, name, status)


def _edge(spec: PipelineSpec, before: str, name: str, status: RunStatus | None) -> Edge:
    stage = spec.stages[name]
    found = (resolve(spec, written) for written in inputs_of(stage).values())
    outputs = tuple(dict.fromkeys(item.output for item in found if item.stage == before))
    places, on = _places(spec, before, status), _on(spec, name, status)
    if not outputs or places == {on}:
        return Edge(before, name, outputs)
    # A copy names what it brings by itself, any other transfer by the stage that left it.
    wanted = {f"{before}.{output}" for output in outputs} | {f"{name}.data"}
    return Edge(before, name, outputs, crossing=True, moved_bytes=_moved(status, on, wanted))


def _places(spec: PipelineSpec, name: str, status: RunStatus | None) -> set[str]:
    """Where the outputs of a stage may lie: those of a pick anywhere among its candidates, until it has picked."""
    held = status.stages.get(name) if status else None
    if held and held.choice and held.connection:
        return {held.connection}
    return {_on(spec, leaf, status) for leaf in leaves(spec, name)}


def _on(spec: PipelineSpec, name: str, status: RunStatus | None) -> str:
    """Where a stage runs; while the plan has yet to choose, the places there are in a person's words."""
    stage = spec.stages[leader_of(spec, name)]
    if not isinstance(stage, StageBase) or stage.on:
        return stage.on
    held = status.stages.get(name) if status else None
    return held.connection if held and held.connection else stage.where


def _moved(status: RunStatus | None, destination: str, artifacts: set[str]) -> int | None:
    sizes = [
        item.size_bytes
        for item in (status.transfers if status else ())
        if item.destination == destination and item.artifact in artifacts
    ]
    return sum(sizes) if sizes else None


def _owner(stage: CopyStage) -> str:
    assert stage.source is not None  # noqa: S101 - only copies of a source have an owner
    return stage.source_on or normalise(CLOUD_OF_SCHEME[locate(stage.source).scheme])


def _source_id(name: str) -> str:
    # No stage has a space in its name.
    return f"source of {name}"
