"""The machine catalogue of a cloud: dated data that a user can override, and the choice of the cheapest that fits.

A catalogue is a YAML file beside its cloud's room; a user's own file of the same form goes before it. Nothing here knows
a cloud.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind
from contracts.machines import ACCELERATOR, HourPrice, Machine, Resources, accelerator_of
from contracts.model import Declared
from contracts.units import Size, format_size

OVERRIDE = "CAUSEWAY_MACHINES"
FAR = 1000.0
"""How far a machine is from a wish that no number of it would grant: another model of accelerator."""


class Offer(Declared):
    """One machine of a catalogue file."""

    name: str
    cpu: int | None = Field(default=None, ge=1)
    memory: Size | None = None
    accelerator: str | None = Field(default=None, pattern=ACCELERATOR)
    disk: Size | None = None
    """The most a job may have; none where a disk of the size asked for is attached."""
    price: Decimal | None = Field(default=None, ge=0)
    """Of an hour on demand; none where nobody knows."""
    kinds: tuple[JobKind, ...] = ("process", "train", "predict", "batch_predict", "deploy")
    """Kinds of job that may have it."""
    offered: bool = True
    """False in a user's file takes a machine away, such as one the account has no quota for."""


class CatalogueFile(Declared):
    """A catalogue file."""

    region: str
    currency: str
    as_of: date
    source: str
    also: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Model of accelerator that people ask for, to models of this cloud that count as it."""
    machines: tuple[Offer, ...]


@dataclass(frozen=True)
class Entry:
    """An offer with what its file says of all of its prices."""

    offer: Offer
    region: str
    currency: str
    as_of: date
    source: str

    @property
    def price(self) -> HourPrice | None:
        """What an hour costs; None where nobody knows."""
        if self.offer.price is None:
            return None
        return HourPrice(
            per_hour=self.offer.price,
            currency=self.currency,
            region=self.region,
            as_of=self.as_of,
            source=self.source,
        )

    @property
    def words(self) -> str:
        """Name and size, for a person."""
        offer = self.offer
        size = [f"{offer.cpu} CPU" if offer.cpu else "", format_size(offer.memory) if offer.memory else ""]
        return f"{offer.name} with {', '.join(part for part in (*size, offer.accelerator or '') if part)}"

    def machine(self, why: str) -> Machine:
        """This one as it was chosen."""
        offer = self.offer
        return Machine(
            instance=offer.name,
            cpu=offer.cpu,
            memory=offer.memory,
            accelerator=offer.accelerator,
            price=self.price,
            why=why,
        )


class Catalogue:
    """Every machine that a connection may give to a job."""

    def __init__(self, cloud: str, files: Sequence[CatalogueFile]) -> None:
        """Know these files; what an earlier one says of a machine replaces what a later one does."""
        self._cloud = cloud
        known: dict[tuple[str, str | None], Entry] = {}
        self._also: dict[str, tuple[str, ...]] = {}
        for file in files:
            for offer in file.machines:
                entry = Entry(offer, file.region, file.currency, file.as_of, file.source)
                known.setdefault((offer.name, offer.accelerator), entry)
            for model, others in file.also.items():
                self._also.setdefault(model.upper(), others)
        gone = {entry.offer.name for entry in known.values() if not entry.offer.offered}
        self._entries = [entry for entry in known.values() if entry.offer.name not in gone]

    @classmethod
    def read(cls, cloud: str, book: Path, own: Path | None) -> "Catalogue":
        """Read our own file and the user's before it.

        Raises:
            ValueError: one of them cannot be read; says which and why.
        """
        return cls(cloud, [*([read(own)] if own else ()), read(book)])

    def choose(self, kind: JobKind, resources: Resources, preferred: str | None = None) -> Machine:
        """Return the machine that is named, else the preferred one if it suffices, else the cheapest that does.

        A machine that no file knows is taken at the word of whoever named it. Among machines without a price the
        smaller comes first, after all that have one.

        Raises:
            ApplicationError: `UNSUPPORTED`, none has what is asked; names the nearest.
        """
        if resources.instance:
            return self._named(resources.instance, resources, "it is named in resources.instance")
        offered = [entry for entry in self._entries if kind in entry.offer.kinds]
        if preferred:
            known = any(_same(entry.offer.name, preferred) for entry in offered)
            why = "has what is asked" if known else "is taken at its owner's word"
            if self.suffices(preferred, resources):
                return self._named(preferred, resources, f"the worker's default {why}")
        fitting = [entry for entry in offered if self._suffices(entry.offer, resources)]
        if not fitting:
            raise self._none(offered, resources)
        best = min(fitting, key=_cost)
        ranked = (
            "the cheapest known here" if best.price else "the smallest known here, none has a known price,"
        )
        return _of(best.machine(f"{ranked} that has {_wish(resources)}"), resources)

    def suffices(self, name: str, resources: Resources) -> bool:
        """Whether a machine has what is asked; one that no file knows has, but for accelerators."""
        known = [entry for entry in self._entries if _same(entry.offer.name, name)]
        if not known:
            return not resources.accelerator
        return any(self._suffices(entry.offer, resources) for entry in known)

    def _named(self, name: str, resources: Resources, why: str) -> Machine:
        known = [entry for entry in self._entries if _same(entry.offer.name, name)]
        fitting = [entry for entry in known if not self._accelerators_lack(entry.offer, resources)]
        fixed = [entry for entry in known if entry.offer.accelerator]
        if not resources.accelerator:
            # Some machines come bare and with accelerators, others with theirs only.
            fitting = fitting or fixed
        elif fixed and len(fixed) == len(known) and not fitting:
            text = f"{fixed[0].words} is named in resources.instance and has no {resources.accelerator}"
            raise failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=self._cloud))
        found = min(fitting, key=_cost, default=None)
        if found is None:
            return Machine(instance=name, accelerator=resources.accelerator, spot=resources.spot, why=why)
        return _of(found.machine(why), resources)

    def _suffices(self, offer: Offer, resources: Resources) -> bool:
        return self._distance(offer, resources) == 0

    def _distance(self, offer: Offer, resources: Resources) -> float:
        """Return how far a machine is from what is asked; 0 when it has all of it."""
        disk = 0.0 if offer.disk is None else _lack(offer.disk, resources.disk)
        sizes = _lack(offer.cpu, resources.cpu) + _lack(offer.memory, resources.memory)
        return disk + sizes + self._accelerators_lack(offer, resources)

    def _accelerators_lack(self, offer: Offer, resources: Resources) -> float:
        asked = accelerator_of(resources.accelerator) if resources.accelerator else None
        held = accelerator_of(offer.accelerator) if offer.accelerator else None
        if asked is None:
            # A machine with accelerators is not given to a job that asks for none: its price is for them.
            return FAR if held else 0.0
        if held is None:
            return 2 * FAR
        if held[0] not in {asked[0], *self._also.get(asked[0], ())}:
            return FAR
        return _lack(held[1], asked[1])

    def _none(self, offered: Sequence[Entry], resources: Resources) -> Exception:
        nearest = min(
            offered, key=lambda entry: (self._distance(entry.offer, resources), _cost(entry)), default=None
        )
        named = [entry.offer.accelerator for entry in offered if entry.offer.accelerator]
        models = sorted({accelerator_of(name)[0] for name in named})
        text = f"no machine of {self._cloud} that is known here has {_wish(resources)}"
        if resources.accelerator:
            text += f" (there are {', '.join(models) or 'no accelerators'})"
        if nearest:
            text += f"; the nearest is {nearest.words}"
        text += f"; ask for less, name a machine in resources.instance, or add one in the file of {OVERRIDE}"
        return failure(ErrorKind.UNSUPPORTED, text, ErrorDetail(cloud=self._cloud))


def read(path: Path) -> CatalogueFile:
    """Read a catalogue file.

    Raises:
        ValueError: it is absent, no YAML, or says something that is no machine.
    """
    try:
        return CatalogueFile.model_validate(YAML(typ="safe", pure=True).load(path.read_text()))
    except OSError as error:
        raise ValueError(f"the machine file {path} cannot be read: {error.strerror}") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"the machine file {path} is no YAML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"the machine file {path}: {where or 'it'}: {first['msg']}") from None


def _same(one: str, other: str) -> bool:
    # Azure writes its names in both cases.
    return one.lower() == other.lower()


def _lack(held: int | None, asked: int | None) -> float:
    if not asked or (held is not None and held >= asked):
        return 0.0
    return asked / held - 1 if held else FAR


def _cost(entry: Entry) -> tuple[bool, Decimal, int, int, str]:
    offer = entry.offer
    return offer.price is None, offer.price or Decimal(0), offer.cpu or 0, offer.memory or 0, offer.name


def _wish(resources: Resources) -> str:
    parts = [f"{resources.cpu} CPU"]
    parts += [format_size(resources.memory)] if resources.memory else []
    parts += [":".join(map(str, accelerator_of(resources.accelerator)))] if resources.accelerator else []
    parts += [f"{format_size(resources.disk)} of disk"] if resources.disk else []
    return ", ".join(parts)


def _of(machine: Machine, resources: Resources) -> Machine:
    return machine.model_copy(update={"spot": resources.spot})
