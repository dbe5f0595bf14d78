"""What stands before the stores of Google Cloud: both judge by the rights of one account."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote

from sandbox.layout import BIGQUERY_FRONT, GCS_FRONT, Endpoints, Layout
from sandbox.servers.fronts.bigquery import BigQueryGate
from sandbox.servers.fronts.buckets import Buckets
from sandbox.servers.fronts.gcs import GcsGate
from sandbox.servers.fronts.proxy import exists, fetched
from sandbox.servers.fronts.signatures import SignedUrls
from sandbox.servers.journal import Journal
from sandbox.servers.rights.of_bigquery import BigQueryNeeds
from sandbox.servers.rights.of_storage import StorageNeeds
from sandbox.servers.rights.planted import Rights
from sandbox.servers.vertex.tokens import TokenOffice


def gcs(layout: Layout, endpoints: Endpoints) -> GcsGate:
    """Return the gate of Cloud Storage."""
    office = _office(layout, endpoints)
    signed = SignedUrls(office.email, office.public_key)
    needs = _storage_needs(endpoints)
    buckets = Buckets(layout.state / "vertex" / "buckets.json", partial(fetched, endpoints.gcs_behind_url))
    return GcsGate(office, signed, Journal(layout.requests_of(GCS_FRONT)), Rights.of(layout), needs, buckets)


def bigquery(layout: Layout, endpoints: Endpoints) -> BigQueryGate:
    """Return the gate of BigQuery."""
    known = partial(exists, endpoints.bigquery_behind_url)
    needs = BigQueryNeeds(_storage_needs(endpoints), known)
    journal = Journal(layout.requests_of(BIGQUERY_FRONT))
    return BigQueryGate(_office(layout, endpoints), Rights.of(layout), needs, journal)


def _office(layout: Layout, endpoints: Endpoints) -> TokenOffice:
    secret = layout.state / "vertex" / "token.key"
    return TokenOffice(endpoints.service_account_file, endpoints.google_token_url, secret)


def _storage_needs(endpoints: Endpoints) -> StorageNeeds:
    def lies(bucket: str, name: str) -> bool:
        return exists(endpoints.gcs_behind_url, f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}")

    return StorageNeeds(endpoints.gcp_project, lies)
