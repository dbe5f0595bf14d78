import socket
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from temporalio.exceptions import ApplicationError

from activities.aws.containers import ensure_bucket, is_tls_only, refuses_plain
from activities.aws.settings import AwsSettings
from sandbox.layout import Endpoints, Layout
from tests.wire import Ends, wire_to


def test_a_missing_bucket_is_named_with_the_command_that_makes_it(s3: Any) -> None:
    with pytest.raises(ApplicationError) as raised:
        ensure_bucket(s3, "causeway-absent", create=False, kms_key=None)
    assert raised.value.type == "SOURCE_MISSING"
    assert "aws s3 mb s3://causeway-absent --region us-east-1" in raised.value.message


def test_a_bucket_is_made_encrypted_and_closed_and_found_again(s3: Any, prefix: str) -> None:
    name = f"causeway-{prefix.split('/')[-2]}"
    made = ensure_bucket(s3, name, create=True, kms_key=None)
    assert (made.created, made.encrypted, made.public_access_blocked) == (True, True, True)
    found = ensure_bucket(s3, name, create=True, kms_key=None)
    assert found == made.model_copy(update={"created": False})


class Front(Ends):
    """TLS before a store that has none."""

    def before(self, server: socket.socket) -> socket.socket:
        return server


@pytest.fixture
def over_tls(sandbox: Any, settings: AwsSettings) -> Iterator[Any]:
    held = sandbox.root / "tls"
    root = Endpoints.load(Layout(root=sandbox.root, tools=sandbox.root, checkout=sandbox.root))
    port = urlsplit(str(settings.endpoint("s3"))).port or 0
    with wire_to(port, Front(held / "blob.pem", held / "blob.key")) as wire:
        yield boto3.client(
            "s3",
            endpoint_url=f"https://localhost:{wire.port}",
            region_name=settings.region,
            verify=str(held / "blob.pem"),
            # Behind this front the server sees no TLS, and refuses all others what the policy denies.
            aws_access_key_id=root.aws_root_access_key_id,
            aws_secret_access_key=root.aws_root_secret_access_key,
            config=Config(s3={"addressing_style": "path"}),
        )


def test_a_bucket_that_was_made_over_tls_refuses_what_comes_without(over_tls: Any, s3: Any) -> None:
    name = f"tls-{uuid.uuid4().hex[:12]}"
    ensure_bucket(over_tls, name, create=True, kms_key=None)
    assert refuses_plain(over_tls, name) is True
    over_tls.delete_bucket_policy(Bucket=name)
    assert refuses_plain(over_tls, name) is False
    assert refuses_plain(s3, name) is False
    over_tls.delete_bucket(Bucket=name)


TLS_ONLY: dict[str, Any] = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": ["arn:aws:s3:::b", "arn:aws:s3:::b/*"],
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({"Principal": {"AWS": "*"}, "Resource": "*", "Action": ["s3:*"]}, True),
        ({"Effect": "Allow"}, False),
        ({"Principal": {"AWS": "arn:aws:iam::1:user/x"}}, False),
        ({"Action": "s3:PutObject"}, False),
        ({"Resource": "arn:aws:s3:::b/open/*"}, False),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, False),
        ({"Condition": {**TLS_ONLY["Condition"], "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, False),
        ({"Condition": {}}, False),
    ],
    ids=[
        "ours",
        "anybody",
        "an allow",
        "one user",
        "writes",
        "one folder",
        "the reverse",
        "some only",
        "always",
    ],
)
def test_only_what_denies_everybody_everything_without_tls_counts(
    changed: dict[str, Any], holds: bool
) -> None:
    assert is_tls_only({**TLS_ONLY, **changed}, "b") is holds
