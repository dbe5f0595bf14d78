"""`connections.yaml`: what the workers of several accounts and regions are told, in one file that holds no secret.

A worker takes its own entry as if its environment had said so; what its environment does say wins.
"""

import importlib
import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from activities.settings import WorkerSettings
from contracts.places import DEFAULTS
from contracts.queues import DEFAULT_CONNECTION, Cloud, normalise
from workers.catalogue import WORKERS

FILE = "CAUSEWAY_CONNECTIONS"
NAME = "CAUSEWAY_CONNECTION"
ENVIRONMENT, ENDPOINTS = "environment", "endpoints"
SECRET = re.compile(
    r"(SECRET|PASSWORD|TOKEN|ACCESS_KEY|ACCESS_KEY_ID|API_KEY|CREDENTIAL|SAS)$", re.IGNORECASE
)
NO_SECRET = "no secret belongs in this file; credentials come from the environment or the SDK's own chain"  # noqa: S105 - a sentence
_SETTINGS = {
    Cloud.AWS: "AwsSettings",
    Cloud.AZURE: "AzureSettings",
    Cloud.GCP: "GcpSettings",
    Cloud.ONPREM: "OnpremSettings",
}


class ConnectionsError(ValueError):
    """The file is wrong; the message says where, and what would be right."""


def settings_of(cloud: str) -> type[WorkerSettings]:
    """Return the model of what a cloud's worker is told; its SDK is not imported."""
    found: type[WorkerSettings] = getattr(
        importlib.import_module(f"activities.{cloud}.settings"), _SETTINGS[Cloud(cloud)]
    )
    return found


def adopt(worker: str, environment: MutableMapping[str, str]) -> None:
    """Complete the environment of a worker by its entry, where a file is named; the worker of workflows has none.

    Raises:
        ConnectionsError: the file cannot be read, has no such entry, or the entry is wrong.
    """
    named = environment.get(FILE, "").strip()
    if not named or worker not in set(Cloud):
        return
    connection = normalise(f"{worker}/{environment.get(NAME, '').strip() or DEFAULT_CONNECTION}")
    told = Book(Path(named)).variables(connection)
    environment.update({name: value for name, value in told.items() if not environment.get(name, "").strip()})
    environment[NAME] = connection.partition("/")[2]


def named(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the connections that the file names, or without one the default of each cloud; nothing else of it is told.

    Raises:
        ConnectionsError: the file cannot be read.
    """
    path = environment.get(FILE, "").strip()
    return Book(Path(path)).connections if path else DEFAULTS


class Book:
    """A file of connections, read and sound in its form."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = self._read()

    @property
    def connections(self) -> tuple[str, ...]:
        """`cloud/name` of each, as the file orders them."""
        return tuple(self._entries)

    def variables(self, connection: str) -> dict[str, str]:
        """Return what a connection's worker is told, as variables of its environment.

        Raises:
            ConnectionsError: there is no such entry, or it is wrong; says each mistake with its line.
        """
        entry = self._entries.get(connection)
        if entry is None:
            raise ConnectionsError(
                f"{self._path} has no {connection}; it has {', '.join(self._entries) or 'none'}"
            )
        cloud = connection.partition("/")[0]
        self._check(connection, entry, settings_of(cloud))
        told = {
            variable_of(settings_of(cloud), field): text_of(cloud, field, value)
            for field, value in entry.items()
            if field not in {ENVIRONMENT, ENDPOINTS}
        }
        told |= {_endpoint(service): url for service, url in entry.get(ENDPOINTS, {}).items()}
        return told | {name: str(value) for name, value in entry.get(ENVIRONMENT, {}).items()}

    def _read(self) -> dict[str, CommentedMap]:
        try:
            document = YAML(typ="rt", pure=True).load(self._path.read_text())
        except OSError as error:
            raise ConnectionsError(f"{self._path} cannot be read: {error.strerror}") from None
        except (MarkedYAMLError, UnicodeDecodeError) as error:
            raise ConnectionsError(f"{self._path} is no YAML: {_first_line(error)}") from None
        if not isinstance(document, CommentedMap) or list(document) != ["connections"]:
            raise ConnectionsError(f"{self._path} has to hold one mapping, `connections:`")
        held = document["connections"]
        if not isinstance(held, CommentedMap):
            raise ConnectionsError(
                f"{self._path}: connections has to be a mapping of aws, azure/eu and the like"
            )
        return dict(self._named(held))

    def _named(self, held: CommentedMap) -> Iterator[tuple[str, CommentedMap]]:
        seen: set[str] = set()
        for key, entry in held.items():
            where = f"{self._path}:{held.lc.key(key)[0] + 1}"
            try:
                connection = normalise(str(key))
            except ValueError as error:
                raise ConnectionsError(f"{where}: {error}") from None
            if connection in seen:
                raise ConnectionsError(f"{where}: {connection} is there twice")
            if not isinstance(entry, CommentedMap):
                raise ConnectionsError(f"{where}: {key} has to be a mapping of its settings")
            seen.add(connection)
            yield connection, entry

    def _check(self, connection: str, entry: CommentedMap, model: type[WorkerSettings]) -> None:
        known = fields_of(model)
        mistakes: list[str] = []
        for field in entry:
            if field == ENVIRONMENT:
                mistakes += self._mistaken_variables(connection, entry)
            elif field == ENDPOINTS and field in known:
                mistakes += self._mistaken_endpoints(connection, entry)
            elif field not in known:
                why = (
                    NO_SECRET if SECRET.search(str(field)) else f"is no setting; there are {', '.join(known)}"
                )
                mistakes.append(f"{self._at(entry, field)}: {connection}: {field}: {why}")
        mistakes += self._mistaken_values(connection, entry, model)
        if mistakes:
            raise ConnectionsError("; ".join(mistakes))

    def _mistaken_values(
        self, connection: str, entry: CommentedMap, model: type[WorkerSettings]
    ) -> Iterator[str]:
        values = {
            name: value for name, value in entry.items() if name in model.model_fields and name != ENDPOINTS
        }
        try:
            model.model_validate(values, by_name=True, by_alias=False)
        except ValidationError as error:
            for mistake in error.errors(include_input=False, include_url=False):
                field = str(mistake["loc"][0]) if mistake["loc"] else ""
                # What is missing here may stand in the environment; the worker says so if it does not.
                if field in values:
                    said = mistake["msg"].removeprefix("Value error, ")
                    yield f"{self._at(entry, field)}: {connection}: {field} is wrong: {said}"

    def _mistaken_variables(self, connection: str, entry: CommentedMap) -> Iterator[str]:
        cloud = connection.partition("/")[0]
        prefixes = tuple(prefix for prefix in WORKERS[cloud] if not prefix.startswith("CAUSEWAY_"))
        for name in entry[ENVIRONMENT]:
            where = f"{self._at(entry[ENVIRONMENT], name)}: {connection}: {name}"
            if SECRET.search(name):
                yield f"{where}: {NO_SECRET}"
            elif not name.startswith(prefixes):
                yield f"{where}: only variables of this cloud's SDK, such as {prefixes[0] if prefixes else 'none'}…"

    def _mistaken_endpoints(self, connection: str, entry: CommentedMap) -> Iterator[str]:
        for service, url in entry[ENDPOINTS].items():
            if not str(url).startswith(("http://", "https://")):
                yield f"{self._at(entry[ENDPOINTS], service)}: {connection}: {service} is no http:// or https:// URL"

    def _at(self, held: CommentedMap, key: str) -> str:
        return f"{self._path}:{held.lc.key(key)[0] + 1}"


def fields_of(model: type[WorkerSettings]) -> tuple[str, ...]:
    """The settings that an entry may hold, by their names in the file."""
    return tuple(name for name in model.model_fields if name != "connection")


def variable_of(model: type[WorkerSettings], field: str) -> str:
    """The environment's name for a setting."""
    alias = model.model_fields[field].validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else str(alias)


def text_of(cloud: str, field: str, value: Any) -> str:
    """A value as the environment would say it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return (":" if (cloud, field) == (Cloud.ONPREM, "path") else ",").join(map(str, value))
    return str(value)


def _endpoint(service: str) -> str:
    return f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
