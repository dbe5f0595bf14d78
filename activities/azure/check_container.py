"""A container as the worker itself sees it: read, write and delete there, sign for it, and who else may read."""

import uuid
from datetime import UTC, datetime, timedelta

from azure.storage.blob import BlobServiceClient

from activities.azure.blobs import SCHEME
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine
from contracts.storage import HIDDEN

_PROBE = b"causeway check\n"


class ContainerLooks:
    """The containers of one account."""

    def __init__(self, service: BlobServiceClient, account_id: str, principal: str) -> None:
        """Use this client; `principal` is the object id that a missing right is given to."""
        self._service = service
        self._account = account_id
        self._give = f"az role assignment create --assignee-object-id {principal} --assignee-principal-type ServicePrincipal"

    def at(self, name: str) -> list[Look]:
        """Every look at one container."""
        uri = f"{SCHEME}://{name}/"
        scope = f"{self._account}/blobServices/default/containers/{name}"
        fix = f'{self._give} --role "Storage Blob Data Contributor" --scope "{scope}"'
        why = "No stage that uses this container can run."
        missing = f"az storage container create --name {name} --account-name {self._service.account_name} --auth-mode login"
        either = f"{fix}  # or, where there is no such container: {missing}"
        return [
            Look("read", uri, lambda: self._read(uri, name), "failed", why, either),
            Look("write", uri, lambda: self._write(uri, name), "failed", why, either),
            Look("public_access", uri, lambda: self._public(uri, name), fix=either),
        ]

    def signing(self) -> Look:
        """Look whether URLs can be signed without an account key."""
        fix = f'{self._give} --role "Storage Blob Delegator" --scope "{self._account}"'
        why = "Other clouds cannot fetch from here, nor push to here, without signed URLs."
        subject = f"user delegation key of {self._service.account_name}"
        return Look("keys", subject, lambda: self._sign(subject), "failed", why, fix)

    def _read(self, uri: str, name: str) -> list[CheckLine]:
        pages = self._service.get_container_client(name).list_blob_names(results_per_page=1).by_page()
        next(pages, None)
        return [passed("read", uri, "can list")]

    def _write(self, uri: str, name: str) -> list[CheckLine]:
        probe = f"{HIDDEN}check/{uuid.uuid4().hex}"
        blob = self._service.get_blob_client(name, probe)
        blob.upload_blob(_PROBE, overwrite=False)
        try:
            read = blob.download_blob().readall()
        finally:
            blob.delete_blob()
        if read != _PROBE:
            why = "What is written here is not what is read."
            return [finding("write", uri, "failed", f"{len(read)} bytes came back of {len(_PROBE)}", why)]
        return [passed("write", uri, "can write, read and delete")]

    def _public(self, uri: str, name: str) -> list[CheckLine]:
        access = self._service.get_container_client(name).get_container_properties().public_access
        if not access:
            return [passed("public_access", uri, "private")]
        # By the resource manager: an account that refuses its keys cannot be told otherwise.
        fix = (
            f"az storage container-rm update --name {name} --storage-account {self._service.account_name} "
            f"--resource-group {self._account.split('/')[4]} --public-access off"
        )
        why = "Anyone on the internet reads what is in it, without a name."
        return [
            finding(
                "public_access", uri, "failed", f"open to everyone at the level of the {access}", why, fix
            )
        ]

    def _sign(self, subject: str) -> list[CheckLine]:
        now = datetime.now(UTC)
        self._service.get_user_delegation_key(now, now + timedelta(minutes=10))
        return [passed("keys", subject, "URLs are signed by delegation, without an account key")]
