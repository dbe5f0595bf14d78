"""Whether a request is signed with a key of this sandbox: signature version 4, computed again."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.servers.sagemaker.errors import AwsError

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/(sagemaker|servicequotas)/aws4_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
_TOLERANCE = timedelta(minutes=15)


def verify(method: str, url: str, headers: Mapping[str, str], body: bytes, keys: Mapping[str, str]) -> None:
    """Return only when the request is signed with one of the keys (id to secret) and is fresh.

    Raises:
        AwsError: The vendor's answer to a missing, unknown, wrong or stale signature.
    """
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise AwsError("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
    key_id, region, service, names, signature = found.groups()
    if key_id not in keys:
        message = "The security token included in the request is invalid."
        raise AwsError("UnrecognizedClientException", message, 403)
    stamp = headers.get("x-amz-date", "")
    signed = {name: headers[name] for name in names.split(";") if name in headers}
    request = AWSRequest(method=method, url=url, data=body, headers=signed)
    request.context["timestamp"] = stamp
    signer = SigV4Auth(Credentials(key_id, keys[key_id]), service, region)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    if not hmac.compare_digest(expected, signature):
        message = "The request signature we calculated does not match the signature you provided."
        raise AwsError("InvalidSignatureException", message, 403)
    sent = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(datetime.now(UTC) - sent) > _TOLERANCE:
        raise AwsError("InvalidSignatureException", f"Signature expired: {stamp}", 403)
