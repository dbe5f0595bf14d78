"""`starter check` as a person calls it, on the local clouds."""

import json
import time

from activities.gcp.settings import GcpSettings
from tests.house import Sandbox


def test_the_local_clouds_are_green_soon(house: Sandbox) -> None:
    began = time.monotonic()
    answer = house.starter("check", "--json")
    took = time.monotonic() - began
    assert answer.code == 0, answer.out
    assert answer.document["green"] is True
    connections = {held["connection"]: held for held in answer.document["connections"]}
    assert set(connections) == {"aws/default", "azure/default", "gcp/default", "onprem/default"}
    for held in connections.values():
        assert held["identity"]
        assert {"read", "write"} <= {line["check"] for line in held["lines"] if line["verdict"] == "passed"}
    # 20 s on a machine that does nothing else.
    assert took < 80


def test_a_pipeline_is_checked_for_what_it_needs(house: Sandbox) -> None:
    answer = house.starter("check", "quickstart")
    assert answer.code == 0, answer.out
    assert "BigQuery" in answer.out
    assert "-> " in answer.out


def test_an_absent_worker_is_one_line_and_exit_3(house: Sandbox) -> None:
    answer = house.starter("check", "gcp/nowhere")
    assert answer.code == 3
    assert "no worker serves causeway-gcp.nowhere" in answer.out
    assert "python -m workers gcp --connection nowhere" in answer.out


def test_a_word_that_is_neither_a_connection_nor_a_pipeline_is_refused(house: Sandbox) -> None:
    answer = house.starter("check", "mars")
    assert answer.code == 2
    assert "mars" in answer.err


def test_a_control_plane_that_is_away_is_named_and_exit_3(house: Sandbox) -> None:
    house.sandbox("fault", "sagemaker", "away", "--seconds", "30")
    try:
        answer = house.starter("check", "aws")
    finally:
        house.sandbox("fault", "sagemaker", "clear")
    assert answer.code == 3
    assert "unreachable" in answer.out
    assert "sagemaker" in answer.out


def test_a_bucket_of_google_cloud_that_is_open_to_everyone_is_a_finding_and_exit_1(house: Sandbox) -> None:
    bucket = GcpSettings.from_mapping(house.environment("gcp")).container
    bindings = [{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]
    planted = house.root / "state" / "vertex" / "buckets.json"
    planted.write_text(json.dumps({bucket: {"policy": {"bindings": bindings}}}))
    try:
        answer = house.starter("check", "gcp")
    finally:
        planted.unlink()
    assert answer.code == 1, answer.out
    assert "open to everyone: allUsers has roles/storage.objectViewer" in answer.out
    assert f"remove-iam-policy-binding gs://{bucket} --member=allUsers" in answer.out
