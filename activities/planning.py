"""Makes the plan of a run: code over data, no cloud. Same request, same plan."""

from collections.abc import Iterator
from typing import Any

from temporalio import activity

from activities.placing.place import Placed, place
from activities.prices import PriceBook
from activities.quoting import quote_of
from contracts.artifacts import locate
from contracts.choices import leaves
from contracts.classes import unknown_classes
from contracts.connections import ConnectionReport
from contracts.errors import ErrorKind, failure
from contracts.graph import OutputName, needs, order, problems_of, resolve
from contracts.judging import Judge
from contracts.limits import Caps, Limits
from contracts.marks import mark
from contracts.observed import Observed
from contracts.plan import (
    Placement,
    Plan,
    PlanActivities,
    PlanRequest,
    TransferMethod,
    TransferPlan,
    picked_key,
    prefix_of,
    server_side_between,
    transfer_key,
)
from contracts.policy import Policy
from contracts.prices import QueryPrice
from contracts.queues import CLOUD_OF_SCHEME, normalise
from contracts.rules import is_bounded, policies_of
from contracts.spending import allowance_of
from contracts.stages import CopyStage, PickStage, inputs_of


class Planner(PlanActivities):
    """Places every stage where its spec says, and finds the transfers that takes."""

    def __init__(
        self,
        book: PriceBook | None = None,
        observed: Observed | None = None,
        policy: Policy | None = None,
    ) -> None:
        """Price by this book; without one no price is known. Runs tell others what is observed.

        Plans keep to this policy, and to that of the pipeline.
        """
        self._book = book or PriceBook(())
        self._observed = observed or Observed()
        self._policy = policy

    @activity.defn(name="plan.make")
    def make(self, request: PlanRequest) -> Plan:
        """Place every stage and list the transfers.

        Safe to run twice; heartbeats nothing, it takes milliseconds. Final: `INVALID_REQUEST`, `UNSUPPORTED`.
        """
        policies = policies_of(request.spec, self._policy)
        problems = problems_of(request.spec) or list(unknown_classes(request.spec, policies))
        if problems:
            said = "; ".join(f"{'.'.join(map(str, problem.path))}: {problem.message}" for problem in problems)
            raise failure(ErrorKind.INVALID_REQUEST, f"the pipeline has mistakes: {said}")
        choice = place(request, self._book, self._policy)
        judge = Judge(choice.spec, self._policy, request.connections)
        plan = _Draft(request, choice, self._book, judge).plan()
        quote = quote_of(request.model_copy(update={"spec": choice.spec}), plan, self._book)
        told = {
            "observed": self._observed,
            "queries": self._queries(request),
            "quote": quote,
            "weighed": choice.words,
            "violations": judge.violations(plan, quote),
            "allowance": allowance_of(request.spec, policies),
            "bounded": is_bounded(self._policy),
        }
        return plan.model_copy(update=told)

    def _queries(self, request: PlanRequest) -> dict[str, QueryPrice]:
        """What reading tables costs, of the connections that have tables."""
        prices = {name: self._book.queries(name) for name in sorted(request.connections)}
        return {name: price for name, price in prices.items() if price}


class _Draft:
    """A plan in the making."""

    def __init__(self, request: PlanRequest, choice: Placed, book: PriceBook, judge: Judge) -> None:
        self.request = request
        self.book = book
        self.choice = choice
        self.spec = choice.spec
        self.classes = judge.classes
        self.transfers: dict[str, TransferPlan] = {}

    def plan(self) -> Plan:
        """Go through the stages in their order."""
        stages = order(self.spec)
        placements = {name: self._place(name) for name in stages}
        return Plan(order=stages, placements=placements, transfers=self.transfers)

    def _place(self, name: str) -> Placement:
        stage = self.spec.stages[name]
        inputs = {key: resolve(self.spec, written) for key, written in inputs_of(stage).items()}
        if isinstance(stage, CopyStage):
            keys = self._copy(name, stage)
        else:
            keys = [key for item in inputs.values() for key in self._bring(item, stage.on)]
        return Placement(
            connection=stage.on,
            prefix=self._prefix(stage.on, name, name) if stage.on else "",
            needs=tuple(sorted(needs(self.spec, name))),
            inputs={key: item.text for key, item in inputs.items()},
            transfers=tuple(dict.fromkeys(keys)),
            machine=self._report(stage.on).machines.get(name) if stage.on else None,
            classes=self.classes[name].left,
            candidates=self.choice.candidates.get(name, ()),
        )

    def _copy(self, name: str, stage: CopyStage) -> list[str]:
        folder = stage.source is not None and stage.source.endswith("/")
        own = self._prefix(stage.on, name, name, "data")
        target = stage.target or (f"{own}data" if stage.source and not folder else own)
        artifact = f"{name}.data"
        if stage.source:
            source = stage.source_on or normalise(CLOUD_OF_SCHEME[locate(stage.source).scheme])
            return [
                self._transfer(transfer_key(artifact, stage.on), artifact, source, stage.on, target, stage)
            ]
        return [
            self._transfer(key, artifact, source, stage.on, target, stage)
            for key, source in self._sources(
                resolve(self.spec, next(iter(stage.inputs.values()))), artifact, stage.on
            )
        ]

    def _bring(self, item: OutputName, destination: str) -> list[str]:
        """The transfers of which one brings an output: none where it lies there already."""
        target = self._prefix(destination, item.stage, "transfers", item.stage, item.output)
        return [
            self._transfer(key, item.text, source, destination, target)
            for key, source in self._sources(item, item.text, destination)
            if source != destination
        ]

    def _sources(self, item: OutputName, artifact: str, destination: str) -> Iterator[tuple[str, str]]:
        """Each connection that an output may lie on, with the key of the transfer from there; a pick has several."""
        if not isinstance(self.spec.stages[item.stage], PickStage):
            yield transfer_key(artifact, destination), self.spec.stages[item.stage].on
            return
        for leaf in leaves(self.spec, item.stage):
            yield picked_key(artifact, leaf, destination), self.spec.stages[leaf].on

    def _transfer(
        self,
        key: str,
        artifact: str,
        source: str,
        destination: str,
        target: str,
        stage: CopyStage | None = None,
    ) -> str:
        method = self._method(source, destination)
        free = stage is not None and stage.server_side and self._is_held_to_no_digest(artifact, stage)
        self.transfers[key] = TransferPlan(
            artifact=artifact,
            source=source,
            destination=destination,
            method=method,
            target=target,
            server_side=free and server_side_between(source, destination, method),
            price=self.book.quote(source, destination, *map(self._region, (source, destination))).price,
            **_wishes(stage),
        )
        return key

    def _is_held_to_no_digest(self, artifact: str, stage: CopyStage) -> bool:
        """Whether nobody asks what was copied for a SHA-256, which only a worker that reads every byte can tell."""
        takers = (
            taker
            for taker in self.spec.stages.values()
            for written in inputs_of(taker).values()
            if resolve(self.spec, written).text == artifact
        )
        return stage.source is not None and not any(
            taker.on != stage.on or isinstance(taker, CopyStage) for taker in takers
        )

    def _method(self, source: str, destination: str) -> TransferMethod:
        if source == destination:
            return "local"
        if self._report(source).readable_from_outside:
            return "pull"
        if self._report(destination).readable_from_outside:
            return "push"
        raise failure(
            ErrorKind.UNSUPPORTED,
            f"neither {source} nor {destination} can be reached from outside; go through a cloud",
        )

    def _prefix(self, connection: str, producer: str, *parts: str) -> str:
        """The prefix of what a stage leaves, which says its classes."""
        marks = mark(self.classes[producer].left)
        return prefix_of(self._report(connection), self.request.run, *marks, *parts)

    def _region(self, connection: str) -> str:
        return self._report(connection).region

    def _report(self, connection: str) -> ConnectionReport:
        report = self.request.connections.get(connection)
        if report is None:
            raise failure(ErrorKind.INVALID_REQUEST, f"no preflight answer of {connection}")
        return report


def _wishes(stage: CopyStage | None) -> dict[str, Any]:
    if stage is None:
        return {}
    return {
        "if_exists": stage.if_exists,
        "include": stage.include,
        "exclude": stage.exclude,
        "limits": Limits(streams=stage.streams, bytes_per_second=stage.limit_rate),
        "caps": Caps(size_bytes=stage.max_size, cost=stage.max_cost, duration=stage.max_duration),
    }
