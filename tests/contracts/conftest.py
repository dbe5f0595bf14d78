"""The rooms as the contract suites see them: each is built as its worker builds it, against its own servers."""

import importlib
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from temporalio.exceptions import ApplicationError

from activities.closing import Named
from activities.endpoint_service import EndpointService
from activities.grant_client import GrantClient
from activities.job_service import JobService
from activities.storage import StoreActivities
from activities.store import Store
from tests.wire import Wire, ends_of, wire_to

ROOMS = ("onprem", "aws", "azure", "gcp")
GRANTING = ("aws", "azure", "gcp")
VERIFYING = ("aws", "azure")
"""Rooms whose local server checks signatures and checksums as the real one does."""

WIRED = "wired "
"""Before a cloud: its store is reached through a wire that counts and damages."""
ENDPOINTS = {
    "aws": "AWS_ENDPOINT_URL",
    "azure": "CAUSEWAY_AZURE_STORAGE_URL",
    "gcp": "CAUSEWAY_GCP_STORAGE_ENDPOINT",
}
SANDBOXED = "sandboxed "
"""Before `onprem`: the one that may follow grants to the sandbox's stores, not one of its own folder alone."""


@dataclass(frozen=True)
class Room:
    cloud: str
    store: Store
    translate: Callable[[BaseException, str], ApplicationError]
    client: GrantClient
    build_jobs: Callable[[], JobService]
    build_endpoints: Callable[[], EndpointService]
    storage: StoreActivities
    build_activities: Callable[[], list[Callable[..., Any]]]
    """As its worker registers them."""
    named: Named | None = None
    """Where jobs are not asked for by their names."""

    def activity(self, name: str) -> Callable[[Any], Any]:
        """The activity of this name, to be called outside a worker."""
        defined = {getattr(found, "__temporal_activity_definition").name: found for found in self.activities}
        return defined[name]

    @cached_property
    def activities(self) -> list[Callable[..., Any]]:
        return self.build_activities()


@pytest.fixture(scope="session")
def rooms(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Room]]:
    with pytest.MonkeyPatch.context() as patch:
        with ExitStack() as stack:
            yield _Rooms(request, tmp_path_factory, patch, stack)


class _Rooms(dict[str, Room]):
    def __init__(
        self, request: Any, folders: pytest.TempPathFactory, patch: pytest.MonkeyPatch, stack: ExitStack
    ) -> None:
        super().__init__()
        self._request, self._folders, self._patch, self._stack = request, folders, patch, stack
        self.wires: dict[str, Wire] = {}

    def __missing__(self, name: str) -> Room:
        cloud = name.removeprefix(WIRED).removeprefix(SANDBOXED)
        environment = self._environment(name.removeprefix(WIRED))
        if name.startswith(WIRED):
            environment |= self._wired(cloud, environment)
        settings_module = importlib.import_module(f"activities.{cloud}.settings")
        module = importlib.import_module(f"activities.{cloud}.room")
        settings = getattr(settings_module, f"{cloud.capitalize()}Settings").from_mapping(environment)
        translate = importlib.import_module(f"activities.{cloud}.errors").translate
        client = GrantClient(settings.host_rules())
        store = module.store(settings)
        storage = StoreActivities(store, translate, settings.allow_list(store.default_container), client)
        room = Room(
            cloud,
            store,
            translate,
            client,
            lambda: module.jobs(settings),
            lambda: module.endpoints(settings),
            storage,
            lambda: module.activities(settings),
            _named(module, settings, cloud),
        )
        self[name] = room
        return room

    def _wired(self, cloud: str, environment: dict[str, str]) -> dict[str, str]:
        """Settings with which the store is reached through a wire, and others' wires may be followed to."""
        for other, variable in ENDPOINTS.items():
            if other not in self.wires:
                address = urlsplit(self._environment(other)[variable])
                ends = ends_of(self._request.getfixturevalue("sandbox").root, address.scheme)
                self.wires[other] = self._stack.enter_context(wire_to(address.port or 0, ends))
        hosts = [f"{host}:{wire.port}" for wire in self.wires.values() for host in ("localhost", "127.0.0.1")]
        changed = {"CAUSEWAY_STORE_HOSTS": ",".join([environment["CAUSEWAY_STORE_HOSTS"], *hosts])}
        if cloud in ENDPOINTS:
            address = urlsplit(environment[ENDPOINTS[cloud]])
            behind = address._replace(netloc=f"{address.hostname}:{self.wires[cloud].port}").geturl()
            changed["AWS_ENDPOINT_URL_S3" if cloud == "aws" else ENDPOINTS[cloud]] = behind
        return changed

    def _environment(self, name: str) -> dict[str, str]:
        if name == "onprem":
            return _onprem(self._folders.mktemp("root"))
        environment: dict[str, str] = self._request.getfixturevalue("sandbox").environment(
            name.removeprefix(SANDBOXED)
        )
        # Credentials and certificates are no settings: each SDK reads them from the environment by itself.
        for variable, value in environment.items():
            if not variable.startswith("TEMPORAL_"):
                self._patch.setenv(variable, value)
        return environment


def _named(module: Any, settings: Any, cloud: str) -> Named | None:
    if cloud not in {"azure", "gcp"}:
        return None
    usual = module.custom_jobs(settings) if cloud == "gcp" else module.jobs(settings)
    found: Named = module.named(usual, module.batches(settings))
    return found


def _onprem(root: Path) -> dict[str, str]:
    return {
        "CAUSEWAY_CONTAINER": "causeway",
        "CAUSEWAY_ONPREM_ROOT": str(root),
        "CAUSEWAY_ONPREM_PATH": str(Path(sys.executable).parent),
    }


@pytest.fixture(params=ROOMS)
def room(request: pytest.FixtureRequest, rooms: dict[str, Room]) -> Room:
    return rooms[request.param]


@pytest.fixture
def store(room: Room) -> Store:
    return room.store


@pytest.fixture(params=GRANTING)
def granting(request: pytest.FixtureRequest, rooms: dict[str, Room]) -> Room:
    return rooms[request.param]


@pytest.fixture(params=VERIFYING)
def verifying(request: pytest.FixtureRequest, rooms: dict[str, Room]) -> Room:
    return rooms[request.param]


@pytest.fixture
def processes() -> Callable[[str], list[str]]:
    """The command lines of what runs for a run, wherever its server put it; a job's HOME names its job."""

    def found(uid: str) -> list[str]:
        lines = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if uid[:12] in process.environ().get("HOME", ""):
                    lines.append(" ".join(process.cmdline()))
        return lines

    return found


@pytest.fixture
def folder() -> str:
    return f"contract/{uuid.uuid4().hex}/"
