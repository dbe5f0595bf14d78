"""Names, keys and certificates of one sandbox: generated on its first start, kept, and never committed."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import string
import uuid
from pathlib import Path

from sandbox.layout import Endpoints, Layout, write_private


def generate(layout: Layout, ports: dict[str, int]) -> Endpoints:
    """Fresh names and keys for a sandbox that has none. Writes the TLS files, not the endpoints."""
    tls = layout.tls
    _write_certificates(tls)
    return Endpoints(
        ports=ports,
        aws_access_key_id=_aws_key_id(),
        aws_secret_access_key=secrets.token_urlsafe(30),
        aws_root_access_key_id=_aws_key_id(),
        aws_root_secret_access_key=secrets.token_urlsafe(30),
        blob_account=f"causeway{secrets.token_hex(4)}",
        blob_key=base64.b64encode(secrets.token_bytes(64)).decode(),
        azure_tenant_id=str(uuid.uuid4()),
        azure_client_id=str(uuid.uuid4()),
        azure_client_secret=secrets.token_urlsafe(30),
        azure_subscription_id=str(uuid.uuid4()),
        ca_certificate=tls / "ca.pem",
        ca_bundle=tls / "bundle.pem",
        server_certificate=tls / "server.pem",
        server_key=tls / "server.key",
        service_account_file=tls / "google-service-account.json",
    )


def _aws_key_id() -> str:
    return "AKIA" + "".join(secrets.choice(string.ascii_uppercase + "234567") for _ in range(16))


def refresh(endpoints: Endpoints) -> None:
    """Bring up to date what depends on the caller or on ports: the CA bundle and the service account."""
    _write_bundle(endpoints)
    _write_service_account(endpoints)


def _write_certificates(tls: Path) -> None:
    import trustme

    from sandbox import self_signed

    authority = trustme.CA(organization_name="Causeway sandbox")
    server = authority.issue_cert("localhost", "127.0.0.1", "::1")
    chain = b"".join(blob.bytes() for blob in server.cert_chain_pems).decode()
    own, own_key = self_signed.make()
    write_private(tls / "ca.pem", authority.cert_pem.bytes().decode() + own, mode=0o644)
    write_private(tls / "server.pem", chain, mode=0o644)
    write_private(tls / "server.key", server.private_key_pem.bytes().decode())
    write_private(tls / "blob.pem", own, mode=0o644)
    write_private(tls / "blob.key", own_key)


def _write_bundle(endpoints: Endpoints) -> None:
    """Join what the caller trusts with our authority: naming a bundle replaces the system's list."""
    bundle = endpoints.ca_bundle
    trusted = _callers_bundle()
    if trusted == bundle and bundle.exists():
        return
    text = f"{trusted.read_text().rstrip()}\n{endpoints.ca_certificate.read_text()}"
    if not bundle.exists() or bundle.read_text() != text:
        write_private(bundle, text, mode=0o644)


def _callers_bundle() -> Path:
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        named = Path(os.environ.get(variable) or os.devnull)
        if named.is_file():
            return named.absolute()
    import certifi

    return Path(certifi.where())


def _write_service_account(endpoints: Endpoints) -> None:
    path = endpoints.service_account_file
    stored: dict[str, str] = {}
    with contextlib.suppress(FileNotFoundError, ValueError):
        stored = json.loads(path.read_text())
    account = stored or _new_service_account(endpoints.gcp_project)
    if not stored or account["token_uri"] != endpoints.google_token_url:
        write_private(path, json.dumps(account | {"token_uri": endpoints.google_token_url}, indent=2) + "\n")


def _new_service_account(project: str) -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": project,
        "private_key_id": secrets.token_hex(20),
        "private_key": pem.decode(),
        "client_email": f"causeway-worker@{project}.iam.gserviceaccount.com",
        "client_id": str(secrets.randbelow(10**21)),
        "token_uri": "",
    }
