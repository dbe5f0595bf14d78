"""The smallest rights for a pipeline: worked out from its text here, written by the cloud's own room in another process."""

import os
import subprocess
import sys

from pydantic import TypeAdapter

from contracts.permissions import PermissionRequest
from starter.exits import Exit, StarterError
from starter.options import params_of
from starter.spec.load import find, load
from workflows.permissions import requests_of

_REQUESTS = TypeAdapter(list[PermissionRequest])


def permissions(
    pipeline: str | None, param: tuple[str, ...], cloud: str, connections: str | None, *, create: bool
) -> Exit:
    """Print what the worker of each of a cloud's connections needs for a pipeline, and no more.

    Raises:
        StarterError: the pipeline does nothing on that cloud, or its settings are not told.
    """
    spec = load(find(pipeline), params_of(param)).spec
    asked = requests_of(spec, create=create)
    wanted = [request for request in asked if request.connection.partition("/")[0] == cloud]
    if not wanted:
        used = ", ".join(request.connection for request in asked)
        raise StarterError(f"{spec.pipeline} does nothing on {cloud}; it uses {used}")
    named = ("--connections", connections) if connections else ()
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "workers", "permissions", cloud, *named],
        input=_REQUESTS.dump_json(wanted),
        env=os.environ,
        check=False,
    )
    return Exit.SUCCEEDED if done.returncode == 0 else Exit.USAGE
