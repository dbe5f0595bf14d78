"""The policy: which data may lie where and how, what may be spent, and who may waive it. Code over data, no cloud.

It lies beside the workers (`CAUSEWAY_POLICY`); what a pipeline says can only tighten it.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from contracts.artifacts import locate
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
    month: Size | None = None
    """Over all runs."""


class Approvals(Declared):
    """What a run waits for an approval before."""

    crossing: tuple[ClassName, ...] = ()
    """Classes of data that cross from one region to another only with an approval."""
    price: Money | None = None
    """A quote above this needs an approval."""


class Policy(Declared):
    """The rules."""

    classes: dict[ClassName, DataClass] = Field(default_factory=dict)
    """Names to what holds for data of that class."""
    data: dict[str, ClassName] = Field(default_factory=dict)
    """URI prefixes to the class of what lies there."""
    default_class: ClassName | None = None
    """Of data that nobody says a class of."""
    encryption: Encryption | None = None
    """What every store must encrypt with."""
    public_access: Literal["blocked"] | None = None
    """Whether stores must block access by the public."""
    tls: Literal["required"] | None = None
    """Whether stores must refuse requests without TLS."""
    audit: Literal["required"] | None = None
    """Whether accounts must keep an audit trail."""
    max_egress: EgressLimit = EgressLimit()
    images: tuple[str, ...] | None = None
    """Prefixes of images that jobs may run, such as `123456789012.dkr.ecr.eu-central-1.amazonaws.com/`."""
    approvals: Approvals = Approvals()
    waivers: dict[RuleName, tuple[str, ...]] = Field(default_factory=dict)
    """Who may waive a rule, by name; a rule that is not named here nobody can waive."""

    @field_validator("data")
    @classmethod
    def _data(cls, value: dict[str, str]) -> dict[str, str]:
        for prefix in value:
            locate(prefix)
        return value

    @model_validator(mode="after")
    def _known(self) -> "Policy":
        named = {*self.data.values(), *self.approvals.crossing, *filter(None, (self.default_class,))}
        unknown = sorted(named - self.classes.keys())
        if unknown:
            raise ValueError(f"there is no class {unknown[0]!r} under classes")
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


class Place(Message):
    """Where data would lie."""

    connection: str
    region: str = ""


def residency(policy: Policy, classes: tuple[str, ...], place: Place, stage: str = "") -> Iterator[Violation]:
    """Yield each rule of residency that data of these classes would break at a place; a region not known breaks a rule."""
    for name in classes:
        rules = policy.classes.get(name)
        if rules is None:
            continue
        if rules.clouds is not None and not any(_is_on(place.connection, cloud) for cloud in rules.clouds):
            told = f"data of class {name} may lie on {_listed(rules.clouds)} only, not on {place.connection}"
            yield violation(policy, "clouds", stage, place.connection, told)
        if rules.regions is not None and not any(fnmatchcase(place.region, glob) for glob in rules.regions):
            where = place.region or "an unknown region"
            told = f"data of class {name} may lie in {_listed(rules.regions)} only; {place.connection} is in {where}"
            yield violation(policy, "regions", stage, where, told)


def violation(policy: Policy, rule: RuleName, stage: str, value: str, message: str) -> Violation:
    """A violation, with who may waive it."""
    return Violation(
        rule=rule, stage=stage, value=value, message=message, may_waive=policy.waivers.get(rule, ())
    )


def _is_on(connection: str, named: str) -> bool:
    return normalise(named) == connection if "/" in named else cloud_of(connection).value == named


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "nothing"
