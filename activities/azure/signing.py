"""Signed URLs of one storage account, by user delegation: no account key is ever needed."""

import threading
from datetime import UTC, datetime, timedelta

from azure.storage.blob import (
    BlobClient,
    BlobSasPermissions,
    BlobServiceClient,
    UserDelegationKey,
    generate_blob_sas,
)

from activities.azure.actions import DELEGATION_KEY
from contracts.grants import GRANT_LIFE

NEEDS = {"get_user_delegation_key": (DELEGATION_KEY,)}
KEY_LIFE = timedelta(hours=2)
CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of worker and store may differ."""


class Signer:
    """Mints URLs for single blobs, with a delegation key that it fetches when needed and keeps for a while."""

    def __init__(self, service: BlobServiceClient) -> None:
        """Sign for the account of this client, by its identity."""
        self._service = service
        self._lock = threading.Lock()
        self._key: UserDelegationKey | None = None
        self._key_expires_at = datetime.min.replace(tzinfo=UTC)

    def sign(self, blob: BlobClient, permission: BlobSasPermissions, life: timedelta) -> tuple[str, datetime]:
        """Return a URL for this blob over https alone, and when it dies: at most `GRANT_LIFE` from now."""
        life = min(life, GRANT_LIFE)
        # SAS times have whole seconds.
        expires_at = (datetime.now(UTC) + life).replace(microsecond=0)
        signature = generate_blob_sas(
            account_name=str(blob.account_name),
            container_name=blob.container_name,
            blob_name=blob.blob_name,
            user_delegation_key=self._delegation_key(expires_at),
            permission=permission,
            expiry=expires_at,
            protocol="https",
        )
        return f"{blob.url}?{signature}", expires_at

    def _delegation_key(self, needed_until: datetime) -> UserDelegationKey:
        with self._lock:
            if self._key is None or needed_until + CLOCK_SKEW > self._key_expires_at:
                now = datetime.now(UTC)
                self._key_expires_at = now + KEY_LIFE
                self._key = self._service.get_user_delegation_key(now - CLOCK_SKEW, self._key_expires_at)
            return self._key
