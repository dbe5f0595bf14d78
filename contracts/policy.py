"""The policy as people write it: which data may lie where and how, what may be spent, and who may waive it.

It lies beside the workers (`CAUSEWAY_POLICY`); what a pipeline says can only tighten it. `contracts.rules` judges by it.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from contracts.artifacts import locate
from contracts.mistakes import nearest
from contracts.model import Declared, Message
from contracts.money import Money
from contracts.queues import cloud_of, normalise
from contracts.stage_base import DATA_CLASS
from contracts.units import Size

Encryption = Literal["provider", "customer_key"]
RuleName = Literal[
    "clouds",
    "regions",
    "encryption",
    "public_access",
    "tls",
    "audit",
    "images",
    "egress_run",
    "egress_month",
    "price",
    "crossing",
    "declassify",
]
ClassName = Annotated[str, Field(pattern=DATA_CLASS)]
Person = Annotated[str, Field(pattern=r"\S")]
"""Who says yes, by name: one who gives none is nobody."""


class DataClass(Declared):
    """What holds for data of one class, wherever it lies; nothing said means nothing demanded."""

    clouds: tuple[str, ...] | None = None
    """Clouds or single connections it may lie on: `azure`, `aws/eu`."""
    regions: tuple[str, ...] | None = None
    """Globs of regions it may lie in, as the vendors write them: `eu-*`, `westeurope`."""
    encryption: Encryption | None = None
    """What it must be encrypted at rest with."""

    @field_validator("clouds")
    @classmethod
    def _clouds(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            normalise(name)
        return value


class EgressLimit(Declared):
    """What may leave clouds at most."""

    run: Size | None = None
    """In one run."""
    month: Size | None = None
    """Over all runs."""


class Approvals(Declared):
    """What a run waits for an approval before."""

    crossing: tuple[ClassName, ...] = ()
    """Classes of data that cross from one region to another only with an approval."""
    price: Money | None = None
    """A quote above this needs an approval."""


class Tightening(Declared):
    """Rules; in a pipeline they hold besides those of the workers: what either forbids is forbidden."""

    classes: dict[ClassName, DataClass] = Field(default_factory=dict)
    """Names to what holds for data of that class."""
    data: dict[str, ClassName] = Field(default_factory=dict)
    """URI prefixes to the class of what lies there."""
    default_class: ClassName | None = None
    """Of data that nobody says a class of."""
    encryption: Encryption | None = None
    """What every store must encrypt with; a key of the customer's satisfies `provider`, too."""
    public_access: Literal["blocked"] | None = None
    """Whether stores must block access by the public."""
    tls: Literal["required"] | None = None
    """Whether stores must refuse requests without TLS."""
    audit: Literal["required"] | None = None
    """Whether accounts must keep an audit trail."""
    max_egress: EgressLimit = EgressLimit()
    """What may leave clouds at most."""
    images: tuple[str, ...] | None = None
    """Prefixes of images that jobs may run, such as `123456789012.dkr.ecr.eu-central-1.amazonaws.com/`."""

    @field_validator("data")
    @classmethod
    def _data(cls, value: dict[str, str]) -> dict[str, str]:
        for prefix in value:
            if locate(prefix).uri != prefix:
                raise ValueError(f"{prefix!r}: write {locate(prefix).uri}")
            if {".", ".."} & set(prefix.split("/")):
                raise ValueError(
                    f"{prefix!r}: no object lies there, a name has no '.' or '..' between slashes"
                )
        return value

    @property
    def named(self) -> tuple[str, ...]:
        """Every class that it refers to, sorted."""
        return tuple(sorted({*self.data.values(), *filter(None, (self.default_class,))}))


class Policy(Tightening):
    """The rules of whoever runs the workers."""

    places: dict[str, str] = Field(default_factory=dict)
    """Connections to the region that each lies in: a worker that mints grants believes this and no request."""
    approvals: Approvals = Approvals()
    """What a run waits for an approval before, of those whom `waivers` names for it."""
    waivers: dict[RuleName, tuple[Person, ...]] = Field(default_factory=dict)
    """Who may waive a rule, by name; a rule that is not named here nobody can waive."""

    @field_validator("places")
    @classmethod
    def _places(cls, value: dict[str, str]) -> dict[str, str]:
        return {normalise(name): region for name, region in value.items()}

    @property
    def named(self) -> tuple[str, ...]:
        """Every class that it refers to, sorted."""
        return tuple(sorted({*super().named, *self.approvals.crossing}))

    @model_validator(mode="after")
    def _approvable(self) -> "Policy":
        for rule in self.unapprovable:
            told = f"approvals.{rule} asks for an approval that nobody may give; name who may under waivers.{rule}"
            raise ValueError(told)
        return self

    @property
    def unapprovable(self) -> tuple[RuleName, ...]:
        """Rules that ask for an approval of nobody."""
        asked: tuple[tuple[RuleName, object], ...] = (
            ("crossing", self.approvals.crossing),
            ("price", self.approvals.price),
        )
        return tuple(rule for rule, limit in asked if limit and not self.waivers.get(rule))

    @model_validator(mode="after")
    def _known(self) -> "Policy":
        unknown = next((name for name in self.named if name not in self.classes), None)
        if unknown:
            raise ValueError(f"there is no class {unknown!r} under classes{nearest(unknown, self.classes)}")
        return self


class Violation(Message):
    """A rule that something breaks."""

    rule: RuleName
    stage: str
    """The stage or transfer; empty where it is the whole run's."""
    value: str
    """What breaks it, such as a region."""
    message: str
    """What is wrong and what would be right, for people."""
    may_waive: tuple[str, ...] = ()
    """Who may waive it; nobody if there are none."""


class StoreFacts(Message):
    """How a container is guarded, as its store says; None where it does not say, which breaks a rule that demands it."""

    uri: str
    region: str = ""
    """Where it lies; empty where the store does not say: then where its connection does."""
    encryption: Encryption | None = None
    public_access_blocked: bool | None = None
    tls_required: bool | None = None
    audited: bool | None = None


class Place(Message):
    """Where data would lie."""

    connection: str
    region: str = ""


def residency(
    policy: Tightening, classes: tuple[str, ...], place: Place, stage: str = ""
) -> Iterator[Violation]:
    """Yield each rule of residency that data of these classes would break at a place; an unknown region breaks one."""
    for name in classes:
        rules = policy.classes.get(name)
        if rules is None:
            continue
        if rules.clouds is not None and not any(_is_on(place.connection, cloud) for cloud in rules.clouds):
            told = f"data of class {name} may lie on {listed(rules.clouds)} only, not on {place.connection}"
            yield violation(policy, "clouds", stage, place.connection, told)
        if rules.regions is not None and not any(fnmatchcase(place.region, glob) for glob in rules.regions):
            where = place.region or "an unknown region"
            told = f"data of class {name} may lie in {listed(rules.regions)} only; {place.connection} is in {where}"
            yield violation(policy, "regions", stage, where, told)


def violation(policy: Tightening, rule: RuleName, stage: str, value: str, message: str) -> Violation:
    """A violation, with who may waive it; what a pipeline itself forbids nobody can waive."""
    may_waive = policy.waivers.get(rule, ()) if isinstance(policy, Policy) else ()
    return Violation(rule=rule, stage=stage, value=value, message=message, may_waive=may_waive)


def told_of(broken: Violation) -> str:
    """One broken rule in a sentence: rule, stage, what is wrong, who may waive it."""
    where = f", stage {broken.stage}" if broken.stage else ""
    who = f"{', '.join(broken.may_waive)} may waive it" if broken.may_waive else "nobody may waive it"
    return f"rule {broken.rule}{where}: {broken.message} ({who})"


def listed(names: tuple[str, ...]) -> str:
    """Names in a sentence."""
    return ", ".join(names) or "nothing"


def _is_on(connection: str, named: str) -> bool:
    return normalise(named) == connection if "/" in named else cloud_of(connection).value == named
