"""How every process of Causeway speaks to Temporal: one plugin, one way to find the server."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TypedDict
from urllib.parse import quote

from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.plugin import SimplePlugin
from temporalio.runtime import Runtime
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

DEFAULT_ADDRESS = "localhost:7233"
PASSED_THROUGH = ("contracts",)
"""Modules that workflows share with their worker: pure models, so reloading them per run would only cost time."""


class Address(TypedDict):
    """Where Temporal is, as a person may be told."""

    address: str
    namespace: str


def address() -> Address:
    """Read where Temporal is from `TEMPORAL_*` and the TOML profile, without connecting."""
    settings = ClientConfig.load_client_connect_config()
    return Address(
        address=settings.get("target_host") or DEFAULT_ADDRESS,
        namespace=settings.get("namespace") or "default",
    )


def page_of(identity: str, run_id: str | None = None) -> str:
    """The page of a run in Temporal's Web UI."""
    where = address()
    host = where["address"].rpartition(":")[0] or where["address"]
    base = os.environ.get("CAUSEWAY_WEB_UI") or f"http://{host}:8233"
    page = f"{base.rstrip('/')}/namespaces/{quote(where['namespace'])}/workflows/{quote(identity, safe='')}"
    return f"{page}/{run_id}/timeline" if run_id else page


async def connect(interceptors: Sequence[Interceptor] = (), runtime: Runtime | None = None) -> Client:
    """Connect as the environment says, with Causeway's plugin.

    Interceptors trace the client and the workers that are given it; a runtime of its own measures them.

    Raises:
        RuntimeError: the server cannot be reached.
    """
    settings = ClientConfig.load_client_connect_config()
    settings["target_host"] = settings.get("target_host") or DEFAULT_ADDRESS
    return await Client.connect(**settings, plugins=[plugin()], interceptors=interceptors, runtime=runtime)


def plugin() -> SimplePlugin:
    """The plugin that clients, workers, test environments and replayers share."""
    return SimplePlugin("causeway", data_converter=pydantic_data_converter, workflow_runner=_sandboxed)


def _sandboxed(runner: WorkflowRunner | None) -> WorkflowRunner:
    if runner is not None and not isinstance(runner, SandboxedWorkflowRunner):
        return runner
    held = runner or SandboxedWorkflowRunner()
    return replace(held, restrictions=held.restrictions.with_passthrough_modules(*PASSED_THROUGH))
