from __future__ import annotations

import base64
import json
import re
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import google_crc32c
import jwt
import pytest
import requests
from google.api_core.exceptions import BadRequest
from google.cloud import storage  # type: ignore[attr-defined]
from google.oauth2 import service_account

from sandbox.layout import CONTAINER, GCS_FRONT
from sandbox.services import fronts
from sandbox.services.gcs import SERVICE as GCS
from tests.sandbox.google_cloud import CALL_SECONDS, SCOPES, GoogleCloud, running

NAME = "front/a file with 100%+ü.csv"
CONTENT = b"id,label\n1,0\n"
LARGE = bytes(range(256)) * (9 << 12) + b"the end"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleCloud]:
    with running(tmp_path_factory.mktemp("google")) as started:
        started.put(NAME, CONTENT.decode())
        yield started


@pytest.fixture
def account(cloud: GoogleCloud) -> dict[str, str]:
    stored: dict[str, str] = json.loads(cloud.endpoints.service_account_file.read_text())
    return stored


def signed(cloud: GoogleCloud, method: str = "GET", name: str = NAME, **more: Any) -> str:
    wanted = {"version": "v4", "expiration": timedelta(minutes=5), "method": method, **more}
    blob = storage.Client("p", cloud.account()).bucket(CONTAINER).blob(name)
    return str(
        blob.generate_signed_url(
            api_access_endpoint=cloud.endpoints.gcs_url, credentials=cloud.account(), **wanted
        )
    )


def code_of(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"].startswith("application/xml")
    found = re.search(r"<Code>(\w+)</Code>", answer.text)
    return answer.status_code, found[1] if found else ""


def get(url: str, **more: Any) -> requests.Response:
    return requests.get(url, timeout=CALL_SECONDS, **more)


def test_a_large_object_passes_both_ways_and_by_an_upload_in_pieces(cloud: GoogleCloud) -> None:
    blob = cloud.bucket().blob("front/large", chunk_size=4 << 20)
    blob.upload_from_string(LARGE, timeout=CALL_SECONDS)
    assert blob.download_as_bytes(timeout=CALL_SECONDS) == LARGE


def test_the_address_that_the_store_tells_is_that_of_its_front(cloud: GoogleCloud) -> None:
    blob = cloud.bucket().get_blob(NAME, timeout=CALL_SECONDS)
    assert blob.media_link.startswith(cloud.endpoints.gcs_url)


def test_a_signed_read_is_answered_also_in_part(cloud: GoogleCloud) -> None:
    url = signed(cloud)
    assert get(url).content == CONTENT
    assert get(url, headers={"Range": "bytes=3-7"}).content == CONTENT[3:8]


def test_a_signed_write_is_taken_with_its_headers_only(cloud: GoogleCloud) -> None:
    headers = {
        "x-goog-meta-who": "me   and  you",
        "content-type": "text/csv",
        "x-goog-if-generation-match": "0",
    }
    url = signed(cloud, "PUT", "front/written", headers=headers)
    for changed in ({**headers, "x-goog-meta-who": "somebody else"}, {"content-type": "text/csv"}):
        answer = requests.put(url, CONTENT, headers=changed, timeout=CALL_SECONDS)
        assert code_of(answer) == (403, "SignatureDoesNotMatch")
    assert requests.put(url, CONTENT, headers=headers, timeout=CALL_SECONDS).status_code == 200
    assert cloud.text("front/written") == CONTENT.decode()


def test_a_signature_is_good_for_its_method_only(cloud: GoogleCloud) -> None:
    answer = requests.delete(signed(cloud), timeout=CALL_SECONDS)
    assert code_of(answer) == (403, "SignatureDoesNotMatch")
    assert cloud.text(NAME) == CONTENT.decode()


def test_a_signature_is_good_for_its_object_only(cloud: GoogleCloud) -> None:
    cloud.put("front/other", "secret")
    url = signed(cloud).replace(urlsplit(signed(cloud)).path, f"/{CONTAINER}/front/other")
    assert code_of(get(url)) == (403, "SignatureDoesNotMatch")


def test_a_signature_is_good_for_its_generation_only(cloud: GoogleCloud) -> None:
    generation = cloud.bucket().get_blob(NAME, timeout=CALL_SECONDS).generation
    url = signed(cloud, generation=generation)
    assert get(url).content == CONTENT
    assert code_of(get(url.replace(str(generation), str(generation + 1)))) == (403, "SignatureDoesNotMatch")
    assert get(signed(cloud, generation=generation + 1)).status_code == 404


def changed(url: str, **parameters: str | None) -> str:
    parts = urlsplit(url)
    kept = dict(parse_qsl(parts.query))
    kept |= {name.replace("_", "-"): value for name, value in parameters.items()}  # type: ignore[misc]
    return parts._replace(query=urlencode({n: v for n, v in kept.items() if v is not None})).geturl()


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"X_Goog_Signature": "00" * 256}, (403, "SignatureDoesNotMatch")),
        ({"X_Goog_Signature": "nonsense"}, (403, "SignatureDoesNotMatch")),
        ({"X_Goog_Expires": "3600"}, (403, "SignatureDoesNotMatch")),
        ({"X_Goog_Expires": "9999999"}, (400, "AuthenticationQueryParametersError")),
        ({"X_Goog_Expires": None}, (400, "AuthenticationQueryParametersError")),
        ({"X_Goog_Algorithm": "GOOG4-HMAC-SHA256"}, (400, "AuthenticationQueryParametersError")),
        ({"X_Goog_Credential": "nobody"}, (400, "AuthenticationQueryParametersError")),
        ({"X_Goog_SignedHeaders": ""}, (400, "AuthenticationQueryParametersError")),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else None,
)
def test_a_parameter_that_was_changed_is_refused(
    cloud: GoogleCloud, parameters: dict[str, str | None], expected: tuple[int, str]
) -> None:
    assert get(changed(signed(cloud))).content == CONTENT
    assert code_of(get(changed(signed(cloud), **parameters))) == expected


def test_a_signature_that_has_run_out_is_refused(cloud: GoogleCloud) -> None:
    url = signed(cloud, expiration=timedelta(seconds=1))
    time.sleep(1.1)
    assert code_of(get(url)) == (400, "ExpiredToken")


def test_a_signature_of_another_key_is_refused(cloud: GoogleCloud, account: dict[str, str]) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    stranger = {**account, "private_key": foreign.private_bytes(*form).decode()}
    credentials = service_account.Credentials.from_service_account_info(stranger)  # type: ignore[no-untyped-call]
    blob = storage.Client("p", credentials).bucket(CONTAINER).blob(NAME)
    url = blob.generate_signed_url(
        version="v4", expiration=timedelta(minutes=5), api_access_endpoint=cloud.endpoints.gcs_url
    )
    assert code_of(get(url)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    "path",
    [f"/{CONTAINER}/front/other", f"/storage/v1/b/{CONTAINER}/o", "/_internal/healthcheck"],
    ids=["XML", "JSON", "the emulator's own"],
)
@pytest.mark.parametrize("token", [None, "Bearer nonsense", "Bearer a.b.c", "Basic eDp5"])
def test_who_does_not_say_who_it_is_is_refused(cloud: GoogleCloud, path: str, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}
    answer = get(f"{cloud.endpoints.gcs_url}{path}", headers=headers)
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


def test_a_token_of_another_service_or_scope_is_refused(cloud: GoogleCloud, account: dict[str, str]) -> None:
    now = int(time.time())
    claims = {"iss": account["client_email"], "sub": account["client_email"], "iat": now, "exp": now + 600}
    url = f"{cloud.endpoints.gcs_url}/storage/v1/b/{CONTAINER}/o"
    for audience, status in (
        ("https://storage.googleapis.com/", 200),
        ("https://aiplatform.googleapis.com/", 401),
    ):
        token = jwt.encode({**claims, "aud": audience}, account["private_key"], algorithm="RS256")
        assert get(url, headers={"Authorization": f"Bearer {token}"}).status_code == status
    other = cloud.account(["https://www.googleapis.com/auth/bigquery"])
    other.refresh(requests_transport())
    assert get(url, headers={"Authorization": f"Bearer {other.token}"}).status_code == 403


def requests_transport() -> Any:
    from google.auth.transport.requests import Request

    return Request()


def test_refusals_are_journaled_without_what_was_signed(cloud: GoogleCloud) -> None:
    get(changed(signed(cloud), X_Goog_Signature="00" * 256))
    text = cloud.layout.requests_of(GCS_FRONT).read_text()
    assert json.loads(text.splitlines()[-1])["status"] == 403
    assert "Signature" not in text


def test_tokens_and_signatures_outlive_the_front_and_the_store(cloud: GoogleCloud) -> None:
    credentials = cloud.account(SCOPES)
    credentials.refresh(requests_transport())
    url = signed(cloud)
    assert cloud.end(GCS_FRONT) == 0
    cloud.end("gcs")
    cloud.start(GCS)
    cloud.start(fronts.GCS)
    assert get(url).content == CONTENT
    listing = f"{cloud.endpoints.gcs_url}/storage/v1/b/{CONTAINER}/o"
    assert get(listing, headers={"Authorization": f"Bearer {credentials.token}"}).status_code == 200


def checksum(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()


@pytest.mark.parametrize(
    "content", [b"", b"x", CONTENT, LARGE[: 7 << 20]], ids=["empty", "tiny", "small", "large"]
)
@pytest.mark.parametrize("damaged", [False, True], ids=["as said", "damaged"])
def test_content_that_is_not_what_its_sender_said_never_becomes_an_object(
    cloud: GoogleCloud, content: bytes, damaged: bool
) -> None:
    client = storage.Client("p", cloud.account(), client_options={"api_endpoint": cloud.endpoints.gcs_url})
    bucket = client.bucket(CONTAINER)
    uploaded, signed_for = (bucket.blob(f"digests/{uuid.uuid4().hex}") for _ in range(2))
    uploaded.crc32c = checksum(content + b"?" if damaged else content)
    hashed = {"x-goog-hash": f"crc32c={uploaded.crc32c}"}
    put = requests.put(
        signed(cloud, "PUT", signed_for.name, headers=hashed),
        data=content,
        headers=hashed,
        timeout=CALL_SECONDS,
    )
    if damaged:
        with pytest.raises(BadRequest, match="CRC32C"):
            uploaded.upload_from_string(content, checksum=None, retry=None)
        assert code_of(put) == (400, "BadDigest")
        assert not uploaded.exists()
        assert not signed_for.exists()
        return
    uploaded.upload_from_string(content, checksum=None, retry=None)
    assert (put.status_code, uploaded.download_as_bytes(), signed_for.download_as_bytes()) == (
        200,
        content,
        content,
    )
