"""The example that trains where it costs least: its place follows prices, rules and sizes, and a run goes there."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.agreement import agreed, kept
from tests.house import CHECKOUT, Sandbox

EXAMPLE = CHECKOUT / "pipelines/cheapest-training"
CLOUDS = "clouds: [aws, azure, gcp]"
MINE = """
region: us-east-1
currency: USD
as_of: 2026-11-01
source: our own agreement
machines: [{name: ml.m5.xlarge, cpu: 4, memory: 16GiB, price: "0.05"}]
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "cheapest-training"))


def changed(example: Path, old: str, new: str) -> Path:
    path = example / "pipeline.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return example


def planned(house: Sandbox, example: Path) -> dict[str, Any]:
    return house.starter("plan", str(example), "--json", check=True).document


def places(house: Sandbox, example: Path) -> dict[str, Any]:
    """What is said of each place that the training might have, and `chosen`."""
    document = planned(house, example)
    stage = next(stage for stage in document["stages"] if stage["name"] == "train")
    found: dict[str, Any] = {one["connection"]: one for one in stage["candidates"]}
    return {**found, "chosen": stage["connection"]}


@contextmanager
def negotiated(house: Sandbox, tmp_path: Path) -> Iterator[None]:
    """The worker of AWS knows a price of one's own."""
    (tmp_path / "mine.yaml").write_text(MINE)
    added = house.root / "settings/aws.env"
    added.parent.mkdir(exist_ok=True)
    added.write_text(f"CAUSEWAY_MACHINES={tmp_path / 'mine.yaml'}\n")
    try:
        house.sandbox("up", "--workers")
        yield
    finally:
        added.unlink()
        house.sandbox("up", "--workers")


def test_it_trains_where_the_machine_costs_least_and_the_model_comes_home(house: Sandbox) -> None:
    plan = planned(house, EXAMPLE)
    chosen = {stage["name"]: stage["connection"] for stage in plan["stages"]}["train"]
    answer = house.starter("run", str(EXAMPLE), "--json", "--on-failure", "fail")
    assert answer.code == 0, answer.err
    stages = {stage["name"]: stage for stage in answer.document["stages"]}
    assert (chosen, stages["train"]["connection"]) == ("gcp/default", "gcp/default")
    assert stages["home"]["outputs"]["data"]["uri"].startswith("s3://")
    jobs = [len(house.jobs(cloud, "train")) for cloud in ("aws", "azure")]
    assert jobs == [0, 0]
    kept(plan, agreed(house, answer.document))


def test_a_rule_takes_the_cheapest_place_away_and_is_named(house: Sandbox, example: Path) -> None:
    found = places(house, changed(example, CLOUDS, "clouds: [aws, azure]"))
    assert found["chosen"] == "azure/default"
    assert found["gcp/default"]["rule"] == "clouds"
    assert "records may lie on aws, azure only" in found["gcp/default"]["why"]


def test_where_more_must_come_home_it_trains_beside_the_data(house: Sandbox, example: Path) -> None:
    found = places(house, changed(example, "output_size: 200MB", "output_size: 500GB"))
    assert found["chosen"] == "aws/default"
    assert "would leave gcp" in found["gcp/default"]["why"]


def test_a_price_of_ones_own_moves_it(house: Sandbox, tmp_path: Path) -> None:
    with negotiated(house, tmp_path):
        found = places(house, EXAMPLE)
    assert found["chosen"] == "aws/default"
    assert places(house, EXAMPLE)["chosen"] == "gcp/default"


def test_a_rule_that_no_place_keeps_is_told_with_each_place_it_removed(house: Sandbox, example: Path) -> None:
    answer = house.starter("plan", str(changed(example, CLOUDS, "clouds: [onprem]")))
    assert answer.code == 2
    assert "POLICY_VIOLATION" in answer.err
    for place in ("aws/default", "azure/default", "gcp/default"):
        assert f"{place}: rule clouds" in answer.err or f"not on {place}" in answer.err
