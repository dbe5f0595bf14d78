from __future__ import annotations

import base64
import hashlib
import json
import os
import signal
import ssl
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ServiceResponseError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobClient,
    BlobServiceClient,
    ResourceTypes,
    generate_account_sas,
)

from sandbox.layout import BLOB_FRONT, CONTAINER
from sandbox.services import blob, fronts
from tests.sandbox.foreign_source import Source, serving
from tests.sandbox.servers import Servers, running

MIB = 1 << 20
CONTENT = os.urandom(MIB) * 9 + b"the end"
BLOCK = base64.b64encode(b"one").decode()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with running(tmp_path_factory.mktemp("blob"), blob.SERVICE, fronts.BLOB) as started:
        yield started


@pytest.fixture
def source() -> Iterator[Source]:
    with serving(CONTENT) as held:
        yield held


@pytest.fixture
def target(servers: Servers) -> Iterator[BlobClient]:
    # A signature in the URL is leave for whatever headers, as a bearer token is.
    with client(servers, sas(servers)) as found:
        yield found


def sas(servers: Servers) -> str:
    ours = servers.endpoints
    rights = AccountSasPermissions(read=True, write=True, create=True, list=True)
    kinds = ResourceTypes(container=True, object=True)
    until = datetime.now(UTC) + timedelta(minutes=10)
    return str(generate_account_sas(ours.blob_account, ours.blob_key, kinds, rights, until))


def client(servers: Servers, credential: str) -> BlobClient:
    ours = servers.endpoints
    service = BlobServiceClient(
        ours.blob_url, credential=credential, connection_verify=str(ours.ca_certificate), retry_total=0
    )
    return service.get_blob_client(CONTAINER, f"front/{uuid.uuid4().hex}")


def md5_of(content: bytes) -> bytearray:
    return bytearray(hashlib.md5(content).digest())


def journal(servers: Servers) -> list[dict[str, Any]]:
    return [json.loads(line) for line in servers.layout.requests_of(BLOB_FRONT).read_text().splitlines()]


def refusal_of(target: BlobClient, url: str, **more: Any) -> tuple[int, str]:
    with pytest.raises(HttpResponseError) as raised:
        target.stage_block_from_url(BLOCK, url, **more)
    assert not staged(target), "a block came to lie there"
    assert "SECRET" not in str(raised.value.message)
    code = raised.value.error_code
    # The SDK makes the codes it knows members of an enumeration.
    return int(raised.value.status_code or 0), str(getattr(code, "value", code))


def staged(target: BlobClient) -> list[int]:
    try:
        return [block.size for block in target.get_block_list("uncommitted")[1]]
    except HttpResponseError:
        return []


def test_a_blob_passes_both_ways_as_it_is(target: BlobClient) -> None:
    target.upload_blob(CONTENT, metadata={"Some_Name": "value"})
    assert target.download_blob().readall() == CONTENT
    assert target.get_blob_properties().metadata == {"Some_Name": "value"}


def test_refusals_of_the_store_pass_as_they_are(target: BlobClient) -> None:
    target.upload_blob(b"one")
    with pytest.raises(ResourceExistsError) as raised:
        target.upload_blob(b"two")
    assert raised.value.error_code == "BlobAlreadyExists"


def test_a_block_is_read_from_a_foreign_store(servers: Servers, target: BlobClient, source: Source) -> None:
    target.stage_block_from_url(BLOCK, source.url, 0, len(CONTENT), source_content_md5=md5_of(CONTENT))
    target.commit_block_list([BLOCK])
    assert target.download_blob().readall() == CONTENT
    assert source.asked[0]["path"] == "/bucket/data?signature=SECRET%2Fvalue"
    noted = journal(servers)[-1]
    assert (noted["status"], noted["bytes"]) == (201, len(CONTENT))
    assert noted["source"] == f"127.0.0.1:{source.port}"
    assert "SECRET" not in servers.layout.requests_of(BLOB_FRONT).read_text()


def test_only_the_range_is_read(target: BlobClient, source: Source) -> None:
    target.stage_block_from_url(BLOCK, source.url, 5, MIB, source_content_md5=md5_of(CONTENT[5 : 5 + MIB]))
    target.commit_block_list([BLOCK])
    assert target.download_blob().readall() == CONTENT[5 : 5 + MIB]
    assert source.asked[0]["Range"] == f"bytes=5-{MIB + 4}"


def test_bytes_of_another_md5_never_become_a_block(target: BlobClient, source: Source) -> None:
    assert refusal_of(target, source.url, source_content_md5=md5_of(b"others")) == (400, "Md5Mismatch")


def test_bytes_of_another_crc64_never_become_a_block(target: BlobClient, source: Source) -> None:
    wrong = {"x-ms-source-content-crc64": base64.b64encode(b"12345678").decode()}
    assert refusal_of(target, source.url, headers=wrong) == (400, "Crc64Mismatch")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_source_that_refuses_is_told_as_azure_tells_it(
    target: BlobClient, source: Source, status: int
) -> None:
    source.status = status
    assert refusal_of(target, source.url) == (status, "CannotVerifyCopySource")


def test_a_redirect_is_not_followed(target: BlobClient, source: Source) -> None:
    source.status = 302
    assert refusal_of(target, source.url) == (400, "CannotVerifyCopySource")
    assert len(source.asked) == 1


def test_a_source_out_of_reach_cannot_be_verified(target: BlobClient) -> None:
    assert refusal_of(target, "http://127.0.0.1:1/bucket/data") == (500, "CannotVerifyCopySource")


def test_a_source_that_breaks_off_leaves_no_block(target: BlobClient, source: Source) -> None:
    source.cut = True
    assert refusal_of(target, source.url) == (500, "CannotVerifyCopySource")
    target.upload_blob(b"the connection goes on")


@pytest.mark.parametrize(
    "url", ["http://storage.example/data", "ftp://127.0.0.1/data", "http://127.0.0.1:port/x"]
)
def test_what_is_neither_encrypted_nor_of_this_machine_is_not_read(target: BlobClient, url: str) -> None:
    assert refusal_of(target, url) == (400, "InvalidHeaderValue")


@pytest.mark.parametrize("heeds", [True, False], ids=["by the source", "by its ETag"])
def test_another_version_than_the_one_asked_for_is_not_read(
    target: BlobClient, source: Source, heeds: bool
) -> None:
    source.heeds_conditions = heeds
    other = {"x-ms-source-if-match": '"second"'}
    assert refusal_of(target, source.url, headers=other) == (412, "SourceConditionNotMet")
    target.stage_block_from_url(BLOCK, source.url, headers={"x-ms-source-if-match": '"first"'})
    assert staged(target) == [len(CONTENT)]


def test_a_range_the_source_does_not_hold_is_refused(target: BlobClient, source: Source) -> None:
    told = refusal_of(target, source.url, source_offset=len(CONTENT) - 1, source_length=2)
    assert told == (416, "InvalidRange")


def test_who_may_not_write_has_nothing_read_into_the_store(servers: Servers, source: Source) -> None:
    right = sas(servers)
    with client(servers, right[:-4] + "AAA%3D") as stranger:
        with pytest.raises(HttpResponseError) as raised:
            stranger.stage_block_from_url(BLOCK, source.url)
    assert raised.value.status_code == 403


def test_a_source_in_the_same_account_is_read_by_the_store_itself(
    servers: Servers, target: BlobClient
) -> None:
    before = len(journal(servers))
    target.upload_blob(CONTENT)
    # azurite knows no rights of an account's signature for this, so the key itself asks.
    with client(servers, servers.endpoints.blob_key) as second:
        second.stage_block_from_url(BLOCK, target.url, source_content_md5=md5_of(CONTENT))
        second.commit_block_list([BLOCK])
        assert second.download_blob().readall() == CONTENT
    assert len(journal(servers)) == before


def test_the_certificate_is_one_of_the_sandboxs_own_authorities(servers: Servers) -> None:
    strict = ssl.create_default_context(cafile=str(servers.endpoints.ca_certificate))
    port = servers.endpoints.ports["blob"]
    found = ssl.get_server_certificate(("localhost", port), ca_certs=str(servers.endpoints.ca_certificate))
    assert strict.cert_store_stats()["x509_ca"] == 2
    assert found == (servers.layout.tls / "blob.pem").read_text()


def test_while_the_store_is_away_connections_break_and_afterwards_they_do_not(
    servers: Servers, target: BlobClient
) -> None:
    target.upload_blob(b"before")
    servers.end("blob")
    with pytest.raises((ServiceResponseError, HttpResponseError)):
        target.download_blob().readall()
    servers.start(blob.SERVICE)
    assert target.download_blob().readall() == b"before"


def test_the_front_ends_in_order_and_comes_back_after_a_kill(servers: Servers, target: BlobClient) -> None:
    assert servers.end(BLOB_FRONT) == 0
    servers.start(fronts.BLOB)
    servers.end(BLOB_FRONT, signal.SIGKILL)
    servers.start(fronts.BLOB)
    target.upload_blob(b"again")
