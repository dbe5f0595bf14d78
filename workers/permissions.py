"""`python -m workers permissions CLOUD`: the smallest rights for what a pipeline does, as its cloud writes them.

It reads a list of `PermissionRequest` from standard input, and speaks to no cloud.
"""

import importlib
import json
import os
import sys

from pydantic import TypeAdapter, ValidationError

from activities.settings import SettingsError
from contracts.permissions import PermissionRequest
from workers.connections import NAME, ConnectionsError, adopt, settings_of

_REQUESTS = TypeAdapter(list[PermissionRequest])


def write(cloud: str) -> int:
    """Write what each connection's worker needs, as one JSON document; return the exit code."""
    try:
        requests = _REQUESTS.validate_json(sys.stdin.read())
        told = {request.connection: _of(cloud, request) for request in requests}
    except ValidationError:
        return _refused("standard input holds no list of requests; use: python -m starter permissions")
    except (SettingsError, ConnectionsError) as error:
        return _refused(f"{error}; name a file with --connections, or set the environment of its worker")
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0


def _of(cloud: str, request: PermissionRequest) -> object:
    policy = importlib.import_module(f"activities.{cloud}.policy")
    environment = {**os.environ, NAME: request.connection.partition("/")[2]}
    adopt(cloud, environment)
    return policy.policies(request, settings_of(cloud).from_mapping(environment))


def _refused(why: str) -> int:
    sys.stderr.write(f"no permissions are written: {why}\n")
    return 2
