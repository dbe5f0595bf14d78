"""Uploads that were begun and are not whole, as the stores themselves list them: no code of ours is asked."""

import json
from typing import Any
from urllib.request import urlopen

import boto3
from azure.storage.blob import BlobServiceClient

from contracts.storage import HIDDEN
from sandbox.layout import CONTAINER, Endpoints, Layout
from tests.house import PATIENCE_SECONDS, Sandbox


def unfinished(house: Sandbox, cloud: str) -> set[str]:
    """What lies unfinished in a cloud's store of this house, whoever began it."""
    if cloud == "onprem":
        hidden = house.root / "onprem" / HIDDEN
        return {str(path) for kind in ("uploads", "drafts") for path in hidden.glob(f"{kind}/*")}
    layout = Layout.from_environment()
    endpoints = Endpoints.load(Layout(house.root, layout.tools, layout.checkout))
    return {"aws": _multipart, "azure": _staged, "gcp": _parts}[cloud](endpoints)


def _multipart(endpoints: Endpoints) -> set[str]:
    s3: Any = boto3.client(
        "s3",
        endpoint_url=endpoints.s3_url,
        region_name=endpoints.aws_region,
        aws_access_key_id=endpoints.aws_root_access_key_id,
        aws_secret_access_key=endpoints.aws_root_secret_access_key,
    )
    return {found["UploadId"] for found in s3.list_multipart_uploads(Bucket=CONTAINER).get("Uploads", [])}


def _staged(endpoints: Endpoints) -> set[str]:
    """Blobs of which only blocks were staged have no ETag; what is pushed lies below a name of its own first."""
    service = BlobServiceClient(
        endpoints.blob_behind_url,
        credential=endpoints.blob_key,
        connection_verify=str(endpoints.ca_bundle),
    )
    with service, service.get_container_client(CONTAINER) as container:
        blobs = list(container.list_blobs(include=["uncommittedblobs"]))
        return {
            blob.name
            for blob in blobs
            if blob.name.startswith(HIDDEN + "staging/")
            or (not blob.size and container.get_blob_client(blob.name).get_block_list("uncommitted")[1])
        }


def _parts(endpoints: Endpoints) -> set[str]:
    asked = f"{endpoints.gcs_behind_url}/storage/v1/b/{CONTAINER}/o?prefix={HIDDEN}uploads/"
    with urlopen(asked, timeout=PATIENCE_SECONDS) as answer:
        return {found["name"] for found in json.load(answer).get("items", [])}
