"""What the Azure room asks is declared beside the call."""

import ast
import importlib
from pathlib import Path

import pytest
from azure.storage.blob import BlobClient, BlobServiceClient, ContainerClient

from activities.azure import policy
from activities.azure.ml import MLClient
from activities.azure.resources import Resources
from tests.house import CHECKOUT

MODULES = [
    path
    for path in sorted((CHECKOUT / "activities/azure").glob("*.py"))
    # A check asks on purpose what it may not do; `arm` reads for it alone.
    if not path.stem.startswith(("check", "policy", "conditions", "arm"))
]
LOCAL = {"get_blob_client", "get_container_client", "close", "url", "from_blob_url", "from_connection_string"}
"""Methods of the store's clients that ask nobody."""


def public(*kinds: type) -> set[str]:
    return {name for kind in kinds for name in dir(kind) if not name.startswith("_")}


STORE = {
    name
    for name in public(BlobClient, ContainerClient, BlobServiceClient) - LOCAL
    if any(callable(getattr(kind, name, None)) for kind in (BlobClient, ContainerClient, BlobServiceClient))
}
GROUPS = {name for name in public(MLClient) if isinstance(getattr(MLClient, name), property)}
REST = {name for name in public(Resources) if callable(getattr(Resources, name))}
BARE = {"send_request", "get_token", "get_token_info"}


def asked(path: Path) -> set[str]:
    """What a module asks: methods of the store's clients, of the workspace's client, and of its REST calls."""
    return {
        name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        for name in [_asked(node)]
        if name
    }


def _asked(node: ast.Attribute) -> str | None:
    if node.attr in BARE:
        return node.attr
    owner = node.value
    if isinstance(owner, ast.Attribute) and owner.attr in GROUPS and _is_client(owner.value):
        return f"{owner.attr}.{node.attr}"
    if node.attr in REST and ast.unparse(owner).rpartition(".")[2].lstrip("_") == "resources":
        return f"resources.{node.attr}"
    # The room's own store has methods of some of these names; clients have names of their own.
    return node.attr if node.attr in STORE and "store" not in ast.unparse(owner) else None


def _is_client(node: ast.expr) -> bool:
    return ast.unparse(node).rpartition(".")[2] == "client"


def declared(path: Path) -> dict[str, tuple[str, ...]]:
    module = importlib.import_module(f"activities.azure.{path.stem}")
    return {**getattr(module, "NEEDS", {}), **getattr(module, "NEEDS_TO_CREATE", {})}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_call_of_azure_declares_what_it_needs(path: Path) -> None:
    assert asked(path) <= declared(path).keys()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_what_is_declared_is_a_call_that_is_made(path: Path) -> None:
    assert declared(path).keys() <= asked(path)


def test_only_a_check_reads_more_of_the_resource_manager() -> None:
    readers = {
        path.stem
        for path in (CHECKOUT / "activities/azure").glob("*.py")
        if "activities.azure.arm" in path.read_text() or "azure import arm" in path.read_text()
    }
    assert readers
    assert all(name.startswith("check") for name in readers)


def test_what_a_module_declares_reaches_the_role() -> None:
    held = {*policy.STORAGE, *(module for modules in policy.SERVICES.values() for module in modules)}
    named = {module.__name__.rpartition(".")[2] for module in held}
    assert {path.stem for path in MODULES if any(declared(path).values())} == named
