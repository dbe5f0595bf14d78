import json

import pytest

from tests.house import Answer, Sandbox


@pytest.fixture(scope="module")
def quickstart(house: Sandbox) -> Answer:
    return house.starter("run", "--json", "--key", "quick-1", check=True)


def test_the_quickstart_trains_scores_loads_and_reports(quickstart: Answer) -> None:
    document = quickstart.document
    stages = {stage["name"]: stage for stage in document["stages"]}
    assert document["state"] == "SUCCEEDED"
    assert document["run_id"] == "quickstart/quick-1"
    assert [stage["cloud"] for stage in document["stages"]] == ["aws", "aws", "azure", "gcp", "gcp"]
    assert stages["train"]["metrics"]["accuracy"] > 0.9
    assert stages["load"]["rows"] == 569
    assert stages["summary"]["metrics"]["n"] == 569
    assert stages["summary"]["metrics"]["accuracy"] > 0.9
    assert all(stage["seconds"] > 0 and stage["attempts"] == 1 for stage in document["stages"])
    assert stages["ingest"]["outputs"]["data"]["kind"] == "file"
    assert stages["train"]["outputs"]["model"]["kind"] == "folder"


def test_each_transfer_says_what_it_moved_and_how_it_was_verified(quickstart: Answer) -> None:
    transfers = {item["artifact"] + ">" + item["to"]: item for item in quickstart.document["transfers"]}
    assert set(transfers) == {
        "ingest.data>aws/default",
        "train.model>azure/default",
        "ingest.data>azure/default",
        "score.predictions>gcp/default",
    }
    assert {item["verified"] for item in transfers.values()} == {"end_to_end"}
    assert transfers["ingest.data>aws/default"]["bytes"] == 124_123
    assert all(item["mb_per_s"] > 0 for item in transfers.values())


def test_the_json_document_has_exactly_the_promised_fields(quickstart: Answer) -> None:
    document = quickstart.document
    assert set(document) == set(
        "run_id pipeline key state waiting_for stages transfers costs decisions web_ui".split()
    )
    assert set(document["stages"][0]) == set(
        "name kind cloud connection state note seconds attempts job machine outputs metrics rows error".split()
    )
    assert set(document["transfers"][0]) == set("artifact from to bytes seconds mb_per_s verified".split())
    assert set(document["stages"][0]["outputs"]["data"]) == set(
        "uri kind size_bytes object_count digest".split()
    )


def test_the_jobs_went_through_the_vendors_own_sdks(house: Sandbox, quickstart: Answer) -> None:
    created = [item for item in house.requests("sagemaker") if item["operation"] == "CreateTrainingJob"]
    assert created
    assert all("Boto3" in item["agent"] for item in created)
    submitted = [
        item for item in house.requests("azure") if item["method"] == "PUT" and "/jobs/" in item["path"]
    ]
    assert submitted
    assert all("azure-ai-ml" in item["agent"] for item in submitted)


def test_the_same_key_and_spec_attach_and_print_the_result(house: Sandbox, quickstart: Answer) -> None:
    again = house.starter("run", "--json", "--key", "quick-1")
    assert again.code == 0
    assert again.document == quickstart.document


def test_the_same_key_with_another_spec_is_refused(house: Sandbox, quickstart: Answer) -> None:
    refused = house.starter("run", "--key", "quick-1", "--param", "seed=8")
    assert refused.code == 2
    assert "another spec" in refused.err
    assert "Traceback" not in refused.err


def test_list_status_report_and_logs_show_the_run(house: Sandbox, quickstart: Answer) -> None:
    listed = {row["run_id"]: row for row in house.starter("list", "--json").document["runs"]}
    assert listed["quickstart/quick-1"]["state"] == "SUCCEEDED"
    assert house.starter("status", "quickstart/quick-1", "--json").document == quickstart.document
    report = house.starter("report", "quickstart/quick-1")
    assert report.code == 0
    assert "accuracy" in report.out
    assert "http://127.0.0.1" in report.out
    for stage, words in (("train", "trained on 426 rows"), ("score", "scored 569 rows")):
        log = house.starter("logs", "quickstart/quick-1", stage)
        assert words in log.out, log.err


def test_json_is_one_document_and_nothing_else_on_standard_output(quickstart: Answer) -> None:
    json.loads(quickstart.out)
