"""A check of Google Cloud finds what a bucket's metadata and the services tell."""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import storage

from activities.gcp.check import is_long_lived
from activities.gcp.check_bucket import BucketLooks
from activities.gcp.identity import LocalAccount
from activities.gcp.settings import GcpSettings
from contracts.connections import PreflightRequest
from tests.activities.gcp.looked import checked, lines


def test_a_connection_that_is_as_it_should_be_has_nothing_failed_and_leaves_no_probe(
    settings: GcpSettings, objects: storage.Client
) -> None:
    report = checked(settings)
    assert {line.verdict for line in report.lines} <= {"passed", "warning", "unknown"}
    good = {line.check for line in report.lines if line.verdict == "passed"}
    assert good >= {"identity", "reach", "read", "write", "region", "encryption", "jobs", "tables"}
    assert list(objects.list_blobs(settings.container, prefix=".causeway/check/")) == []
    assert all(line.why and line.fix for line in report.lines if line.verdict in {"failed", "warning"})


def test_a_key_that_is_not_the_accounts_own_is_a_failed_line_about_who_it_is(settings: GcpSettings) -> None:
    stored = json.loads(Path(os.environ["GOOGLE_APPLICATION_CREDENTIALS"]).read_text())
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    load: Any = LocalAccount.from_service_account_info
    scopes = ("https://www.googleapis.com/auth/cloud-platform",)
    report = checked(settings, identity=load(stored | {"private_key": other.decode()}, scopes=scopes))
    (who,) = lines(report, "identity")
    assert who.verdict == "failed"
    assert who.fix.startswith(f"gcloud iam service-accounts describe {stored['client_email']}")


def test_a_bucket_that_is_not_there_names_the_command_that_makes_it(settings: GcpSettings) -> None:
    report = checked(
        settings.model_copy(update={"container": "nowhere-at-all"}),
        PreflightRequest(connection="gcp/default"),
    )
    (write,) = lines(report, "write")
    assert write.verdict == "failed"
    assert "gs://nowhere-at-all" in write.fix


def test_a_bucket_of_another_region_fails_and_a_multi_region_around_it_does_not(
    settings: GcpSettings, objects: storage.Client
) -> None:
    bucket = objects.get_bucket(settings.container)
    assert BucketLooks(objects, settings.container, "europe-west4")._placed(bucket).verdict == "failed"
    bucket._properties["location"] = "EU"
    assert BucketLooks(objects, settings.container, "europe-west4")._placed(bucket).verdict == "passed"
    assert BucketLooks(objects, settings.container, "us-central1")._placed(bucket).verdict == "failed"


def test_a_clock_that_is_off_is_told(settings: GcpSettings) -> None:
    report = checked(settings, now=lambda: datetime.now(UTC) + timedelta(minutes=7))
    assert "failed" in {line.verdict for line in lines(report, "clock")}


def test_services_that_are_away_are_told_and_nothing_hangs(settings: GcpSettings) -> None:
    gone = {"vertex_endpoint": "http://127.0.0.1:1", "bigquery_endpoint": "http://127.0.0.1:1"}
    report = checked(settings.model_copy(update=gone))
    away = {
        line.subject.partition(" 127")[0] for line in lines(report, "reach") if line.verdict == "unreachable"
    }
    assert away == {"Vertex AI", "BigQuery"}
    for check in ("jobs", "tables"):
        assert {line.verdict for line in lines(report, check)} & {"unreachable", "unknown"}


def test_only_what_a_pipeline_needs_is_looked_at(settings: GcpSettings) -> None:
    report = checked(settings, PreflightRequest(connection="gcp/default", needs=("storage",)))
    assert (lines(report, "jobs"), lines(report, "tables")) == ([], [])
    bare = checked(
        settings.model_copy(update={"image": None}),
        PreflightRequest(connection="gcp/default", needs=("jobs",), image_given=False),
    )
    assert "CAUSEWAY_IMAGE" in {line.subject for line in lines(bare, "jobs") if line.verdict == "failed"}


@pytest.mark.parametrize(
    ("text", "kept"), [('{"private_key": "x"}', True), ('{"type": "external_account"}', False)]
)
def test_a_key_file_is_told_from_a_federation(tmp_path: Any, text: str, kept: bool) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(text)
    assert is_long_lived({"GOOGLE_APPLICATION_CREDENTIALS": str(file)}) is kept
    assert is_long_lived({}) is False
