"""Who the worker is: Google's own chain of credentials."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import google.auth
from google.auth.credentials import Credentials
from google.auth.exceptions import DefaultCredentialsError
from google.oauth2 import service_account

from activities.grants import is_loopback
from activities.settings import SettingsError

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


class LocalAccount(service_account.Credentials):
    """A service account of a local cloud, which Google knows nothing of."""

    def _is_regional_access_boundary_lookup_required(self) -> bool:
        # google-auth asks iamcredentials.googleapis.com about every account, from a thread that logs failures.
        # A token of a local cloud must not travel there, and there is no public switch (2.62).
        return False


def credentials() -> Credentials:
    """Find the worker's identity.

    Raises:
        SettingsError: there is none, or its file cannot be used.
    """
    try:
        path = os.environ.get(_FILE, "")
        if path and _is_local(json.loads(Path(path).read_text())):
            return _local_account(path)
        found, _ = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError:
        text = f"no Google credentials: set {_FILE}, or run where an account is attached"
        raise SettingsError(text) from None
    except (OSError, ValueError):
        raise SettingsError(f"{_FILE} is wrong: it names no credentials file that can be read") from None
    return found


def account_of(identity: Credentials) -> str:
    """Return the name of the account, as far as its credentials tell."""
    return str(getattr(identity, "service_account_email", None) or "Google account of the worker")


def _local_account(path: str) -> Credentials:
    load: Any = LocalAccount.from_service_account_file
    account: Credentials = load(path, scopes=_SCOPES)
    return account


def _is_local(stored: Any) -> bool:
    return is_loopback(urlsplit(str(stored.get("token_uri", ""))).hostname or "")
