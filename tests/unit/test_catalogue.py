"""Machines: the cheapest that has what is asked, from dated data that a user's own file overrides."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from activities.aws.machines import SageMakerMachines
from activities.azure.machines import AzureMachines
from activities.catalogue import Catalogue, read
from activities.choosing import Machines, machines_for
from activities.gcp.machines import VertexMachines
from activities.refusals import Refusals
from activities.settings import CloudSettings, SettingsError
from contracts.connections import MachineRequest, PreflightRequest
from contracts.jobs import JobKind
from contracts.machines import Resources, accelerator_of
from contracts.units import GIB, parse_size
from tests.house import CHECKOUT

CLOUDS = ("aws", "azure", "gcp")
OWN = """
region: eu-central-1
currency: EUR
as_of: 2026-11-01
source: our contract
machines:
  - {name: ml.c5.xlarge, cpu: 4, memory: 8GiB, price: "0.01"}
  - {name: ml.ours.large, cpu: 4, memory: 16GiB, accelerator: "OURS:1"}
  - {name: ml.m5.large, offered: false}
"""


def book(cloud: str) -> Path:
    return CHECKOUT / "activities" / cloud / "machines.yaml"


def catalogue(cloud: str, own: Path | None = None) -> Catalogue:
    return Catalogue.read(cloud, book(cloud), own)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "machines.yaml"
    path.write_text(OWN)
    return path


# The first example reads the catalogues, whatever else the machine does.
@settings(deadline=None)
@given(
    cloud=st.sampled_from(CLOUDS),
    cpu=st.integers(1, 96),
    memory=st.one_of(st.none(), st.integers(1, 360 * GIB)),
)
def test_the_choice_has_what_is_asked_and_nothing_cheaper_has(
    cloud: str, cpu: int, memory: int | None
) -> None:
    asked = Resources(cpu=cpu, memory=memory)
    try:
        chosen = catalogue(cloud).choose("train", asked)
    except ApplicationError:
        offers = [offer for offer in read(book(cloud)).machines if not offer.accelerator]
        assert not [o for o in offers if (o.cpu or 0) >= cpu and (o.memory or 0) >= (memory or 0)]
        return
    assert (chosen.cpu or 0) >= cpu
    assert (chosen.memory or 0) >= (memory or 0)
    for offer in read(book(cloud)).machines:
        if not offer.accelerator and (offer.cpu or 0) >= cpu and (offer.memory or 0) >= (memory or 0):
            assert chosen.price is None or offer.price is None or chosen.price.per_hour <= offer.price


def test_a_choice_says_why_and_what_it_costs_where_and_since_when() -> None:
    words = catalogue("aws").choose("train", Resources(accelerator="A10:1", memory=16 * GIB)).words
    assert words.startswith(
        "ml.g5.xlarge (4 CPU, 16 GiB, A10G:1): the cheapest known here that has 1 CPU, 16 GiB"
    )
    assert (
        "1.408 USD an hour on demand in us-east-1 as of 2025-06-01 (list price, from memory: check aws"
        in words
    )


def test_a_price_nobody_knows_is_said_to_be_unknown_and_is_never_zero() -> None:
    chosen = catalogue("aws").choose("train", Resources(accelerator="A100:8"))
    assert chosen.price is None
    assert "its price is not known here" in chosen.words


def test_a_users_own_file_goes_before_ours(own: Path) -> None:
    chosen = catalogue("aws", own).choose("train", Resources())
    assert chosen.instance == "ml.c5.xlarge"
    assert chosen.price is not None
    assert (chosen.price.per_hour, chosen.price.source) == (Decimal("0.01"), "our contract")


def test_a_users_own_file_adds_and_takes_away(own: Path) -> None:
    assert catalogue("aws", own).choose("train", Resources(accelerator="ours")).instance == "ml.ours.large"
    assert catalogue("aws", own).choose("train", Resources(memory=8 * GIB, cpu=2)).instance == "ml.c5.xlarge"


def test_a_machine_with_accelerators_is_given_to_nobody_who_asks_for_none() -> None:
    with pytest.raises(ApplicationError, match=r"nearest is ml\.r5\.24xlarge"):
        catalogue("aws").choose("train", Resources(cpu=96, memory=1000 * GIB))


def test_a_named_machine_without_the_accelerator_asked_for_is_refused() -> None:
    asked = Resources(instance="ml.g5.xlarge", accelerator="V100:1")
    with pytest.raises(ApplicationError, match=r"ml\.g5\.xlarge .* has no V100:1"):
        catalogue("aws").choose("train", asked)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("{", "no YAML"),
        ("machines: []", "region"),
        (OWN.replace("4,", "none,"), "machines.0.cpu"),
        (OWN.replace('"0.01"', '"-1"'), "machines.0.price"),
    ],
    ids=["absent", "no YAML", "no header", "no number", "below zero"],
)
def test_a_file_that_cannot_be_used_is_one_line_at_the_start_of_the_worker(
    tmp_path: Path, content: str | None, told: str
) -> None:
    path = tmp_path / "mine.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=rf"CAUSEWAY_MACHINES is wrong: .*{told}"):
        CloudSettings.from_mapping({"CAUSEWAY_CONTAINER": "c", "CAUSEWAY_MACHINES": str(path)})


def test_a_preflight_that_finds_no_machine_names_the_stage() -> None:
    wanted = {"tune": MachineRequest(kind="train", resources=Resources(cpu=1024))}
    request = PreflightRequest(connection="azure/default", machines=wanted)
    refusals = Refusals()
    assert machines_for(request, azure(), refusals) == {}
    with pytest.raises(ApplicationError, match=r"stage tune on azure/default: no machine of azure") as raised:
        refusals.tell()
    assert raised.value.non_retryable


def azure(size: str = "STANDARD_D2S_V3", *, low: bool = False, cluster: str | None = "pool") -> AzureMachines:
    return AzureMachines(lambda name: (size, low), cluster=cluster)


@pytest.mark.parametrize(
    ("machines", "asked", "instance"),
    [
        (azure(), Resources(), "pool"),
        (azure(), Resources(memory=8 * GIB), "pool"),
        (azure(), Resources(cpu=4), "Standard_F4s_v2"),
        (azure(), Resources(cpu=2, disk=20 * GIB), "Standard_E2s_v3"),
        (azure(), Resources(accelerator="A10:1"), "Standard_NV36ads_A10_v5"),
        (azure(), Resources(spot=True), "Standard_D2s_v3"),
        (azure(low=True), Resources(spot=True), "pool"),
        (azure(cluster=None), Resources(), ""),
        (azure(cluster=None), Resources(cpu=8), "Standard_F8s_v2"),
        (azure(), Resources(instance="gpu-pool"), "gpu-pool"),
        (azure(), Resources(instance="Standard_Weird"), "Standard_Weird"),
    ],
    ids=lambda value: value.model_dump_json(exclude_defaults=True) if isinstance(value, Resources) else None,
)
def test_azure_takes_its_cluster_where_it_suffices_else_serverless_compute(
    machines: AzureMachines, asked: Resources, instance: str
) -> None:
    assert machines.choose("train", asked).instance == instance


@pytest.mark.parametrize(
    ("machines", "kind", "asked"),
    [
        (VertexMachines(), "batch_predict", Resources(spot=True)),
        (VertexMachines(), "deploy", Resources(disk=GIB)),
        (SageMakerMachines(), "deploy", Resources(spot=True)),
        (AzureMachines(lambda name: ("", True)), "deploy", Resources(spot=True)),
    ],
    ids=["Google's batches", "Google's servers", "Amazon's servers", "Azure's servers"],
)
def test_what_a_kind_of_stage_cannot_have_is_refused_in_the_preflight(
    machines: Machines, kind: JobKind, asked: Resources
) -> None:
    wanted = {"serve": MachineRequest(kind=kind, resources=asked)}
    refusals = Refusals()
    machines_for(PreflightRequest(connection="gcp/default", machines=wanted), machines, refusals)
    with pytest.raises(ApplicationError, match=r"stage serve on gcp/default: .* leave"):
        refusals.tell()


def test_a_server_of_google_may_run_on_a_spot_machine() -> None:
    assert VertexMachines().choose("deploy", Resources(spot=True)).spot


@pytest.mark.parametrize("asked", [Resources(), Resources(instance="gpu-pool")], ids=["default", "named"])
def test_a_node_of_a_cluster_costs_what_its_size_does_unless_it_has_low_priority(asked: Resources) -> None:
    dedicated, low = azure().choose("train", asked), azure(low=True).choose("train", asked)
    assert dedicated.price is not None
    assert dedicated.price.per_hour == Decimal("0.096")
    assert "its nodes are STANDARD_D2S_V3" in dedicated.why
    assert low.price is None
    assert azure("STANDARD_NEW_V9").choose("train", asked).price is None


def test_a_dedicated_cluster_that_is_named_is_no_spot() -> None:
    with pytest.raises(ApplicationError, match="dedicated"):
        azure().choose("train", Resources(instance="gpu-pool", spot=True))


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_book_has_each_machine_once_with_known_sizes_and_one_source(cloud: str) -> None:
    file = read(book(cloud))
    keys = [(offer.name, offer.accelerator) for offer in file.machines]
    assert len(set(keys)) == len(keys)
    assert all(offer.cpu and offer.memory for offer in file.machines)
    assert "check" in file.source
    assert all(accelerator_of(offer.accelerator)[1] for offer in file.machines if offer.accelerator)


@pytest.mark.parametrize(("text", "size"), [("100GB", 10**11), ("2TB", 2 * 10**12), ("1kB", 1000)])
def test_sizes_may_be_decimal(text: str, size: int) -> None:
    assert parse_size(text) == size
