"""What of a plan breaks a rule of a policy: places, ways, images, prices. Code over data."""

from collections.abc import Iterator, Mapping

from contracts import rules
from contracts.approvals import ApproveStage
from contracts.artifacts import locate
from contracts.classes import StageClasses, classes_of
from contracts.connections import ConnectionReport
from contracts.ledger import leaves_cloud
from contracts.plan import Plan, TransferPlan
from contracts.policy import Place, Policy, StoreFacts, Violation, listed, violation
from contracts.queues import Cloud, cloud_of, normalise
from contracts.quotes import Quote
from contracts.rules import Policies
from contracts.spec import PipelineSpec
from contracts.stage_base import CommandStage
from contracts.stages import CopyStage

Reports = Mapping[str, ConnectionReport]


class Judge:
    """Judges one plan."""

    def __init__(self, spec: PipelineSpec, policy: Policy | None, reports: Reports) -> None:
        """Judge by the workers' policy, and by that of the pipeline itself, of which every stage is placed."""
        self.spec = spec
        self.policy = policy
        self.reports = reports
        self.policies: Policies = rules.policies_of(spec, policy)
        self.classes: dict[str, StageClasses] = classes_of(spec, self.policies)

    def violations(self, plan: Plan, quote: Quote | None = None) -> tuple[Violation, ...]:
        """Return each rule that the plan breaks, once, in the order of its stages and transfers."""
        found: dict[Violation, None] = {}
        for name in plan.order:
            found |= dict.fromkeys(self._of_stage(name))
        for key in sorted(plan.transfers):
            found |= dict.fromkeys(self._of_transfer(key, plan.transfers[key], plan))
        if quote:
            found |= dict.fromkeys(self._of_quote(quote, plan))
        return tuple(found)

    def offline(self) -> Iterator[Violation]:
        """Yield what can be said before any worker was asked: nothing of regions that the policy does not tell."""
        for name, stage in self.spec.stages.items():
            for broken in self._of_stage(name):
                if broken.rule != "regions" or self.place(stage.on).region:
                    yield broken

    def at(self, name: str, connection: str) -> Iterator[Violation]:
        """Yield each rule that a stage would break on a connection, whoever else is where."""
        stage = self.spec.stages[name]
        yield from rules.residence(self.policies, self.classes[name].here, self.place(connection), name)
        if isinstance(stage, CommandStage) and stage.image and cloud_of(connection) is not Cloud.ONPREM:
            yield from rules.images(self.policies, stage.image, name)
        yield from self._of_store(name, connection)

    def place(self, connection: str) -> Place:
        """Where a connection lies: by its worker, or else by the policy."""
        report = self.reports.get(connection)
        said = self.policy.places.get(normalise(connection), "") if self.policy else ""
        return Place(connection=connection, region=report.region if report and report.region else said)

    def _of_stage(self, name: str) -> Iterator[Violation]:
        stage = self.spec.stages[name]
        if stage.on:
            yield from self.at(name, stage.on)
        if isinstance(stage, CopyStage) and stage.target and not stage.declassify:
            yield from rules.write_down(self.policies, self.classes[name].read, stage.target, name)
        if stage.declassify and self.classes[name].read and self.policy:
            yield from self._declassifying(self.policy, name, stage.declassify)

    def _of_store(self, name: str, connection: str) -> Iterator[Violation]:
        """Yield what the container lacks that a stage's data come to lie in; what nobody says is lacking."""
        stage, report = self.spec.stages[name], self.reports.get(connection)
        if report is None:
            return
        target = stage.target if isinstance(stage, CopyStage) else None
        container = locate(target).model_copy(update={"name": ""}).uri if target else report.container
        known = {facts.uri: facts for facts in report.facts}
        facts = known.get(container) or StoreFacts(uri=container)
        if facts.region and facts.region != self.place(connection).region:
            lies = Place(connection=connection, region=facts.region)
            yield from rules.residence(self.policies, self.classes[name].here, lies, name)
        yield from rules.guards(self.policies, self.classes[name].here, facts, name)

    def _declassifying(self, policy: Policy, name: str, asked: str) -> Iterator[Violation]:
        """Yield where somebody may answer the question whose yes takes no class off."""
        gate, may = self.spec.stages[asked], policy.waivers.get("declassify", ())
        approvers = gate.approvers if isinstance(gate, ApproveStage) else ()
        strangers = tuple(who for who in approvers if who not in may)
        if strangers or not approvers:
            told = f"the yes of {listed(strangers) if strangers else 'anybody'} to {asked} takes no class off"
            found = violation(
                policy, "declassify", name, asked, f"{told}; that of {listed(may) if may else 'nobody'} does"
            )
            yield found.model_copy(update={"may_waive": ()})

    def _of_transfer(self, key: str, transfer: TransferPlan, plan: Plan) -> Iterator[Violation]:
        producer = transfer.artifact.partition(".")[0]
        held, stage = self.classes[producer], self.spec.stages[producer]
        moves = isinstance(stage, CopyStage) and key in plan.placements[producer].transfers
        classes = held.left if not moves or stage.declassify else held.read
        origin, to = self.place(transfer.source), self.place(transfer.destination)
        yield from rules.crossing(self.policies, classes, origin, to, key)
        yield from self._unbelieved(classes, origin, to, key)

    def _unbelieved(
        self, classes: tuple[str, ...], origin: Place, to: Place, key: str
    ) -> Iterator[Violation]:
        """Yield what the worker of the source will refuse only since its policy does not say where the other one lies."""
        policy = self.policy
        if policy is None or origin.connection == to.connection or to.connection in policy.places:
            return
        known = {broken.rule for broken in _of_way(policy, classes, origin, to, key)}
        for broken in _of_way(policy, classes, origin, Place(connection=to.connection), key):
            if broken.rule not in known:
                told = f"{broken.message}; name the region of {to.connection} under places of the policy"
                yield broken.model_copy(update={"message": told})

    def _of_quote(self, quote: Quote, plan: Plan) -> Iterator[Violation]:
        yield from rules.price(self.policies, quote.reckoned, whole=not quote.unbounded)
        yield from rules.egress(self.policies, self._leaving(quote, plan), None)

    def _leaving(self, quote: Quote, plan: Plan) -> int:
        """The bytes that are known to leave clouds; what nobody knows yet is watched while it moves."""
        lines = quote.of_kind("transfer").lines
        sent = ((line, plan.transfers[line.name]) for line in lines if line.name in plan.transfers)
        return sum(
            int(line.quantity or 0)
            for line, transfer in sent
            if leaves_cloud(transfer.source, transfer.destination)
        )


def _of_way(
    policy: Policy, classes: tuple[str, ...], origin: Place, to: Place, key: str
) -> Iterator[Violation]:
    """Yield what a worker refuses to let go to a place."""
    yield from rules.residence((policy,), classes, to, key)
    yield from rules.crossing((policy,), classes, origin, to, key)
