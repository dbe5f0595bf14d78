"""The file of connections: what it tells a worker, and how it is told what is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from contracts.queues import Cloud
from tests.house import CHECKOUT
from workers.connections import FILE, NAME, Book, ConnectionsError, adopt, fields_of, settings_of
from workers.connections_schema import schema
from workers.supervisor import _wanted

EXAMPLE = CHECKOUT / "docs/env/connections.yaml.example"


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The example, with a root that is there."""
    file = tmp_path / "connections.yaml"
    file.write_text(EXAMPLE.read_text().replace("/srv/causeway", str(tmp_path)))
    return file


def entries(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(file)["connections"]
    return found


def written(folder: Path, text: str) -> Path:
    file = folder / "connections.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "connection", ["aws/default", "aws/us", "azure/default", "gcp/default", "onprem/default"]
)
def test_an_entry_tells_a_worker_what_its_environment_would(example: Path, connection: str) -> None:
    cloud, name = connection.split("/")
    environment = {FILE: str(example), NAME: name}
    adopt(cloud, environment)
    settings = settings_of(cloud).from_mapping(environment)
    entry = entries(example)[cloud if name == "default" else connection]
    for field, value in entry.items():
        if field == "environment":
            assert value.items() <= environment.items()
        else:
            held = getattr(settings, field)
            assert (list(held) if isinstance(value, list) else str(held)) == value, field
    assert settings.connection == name


@pytest.mark.parametrize("cloud", Cloud)
def test_every_setting_can_be_told_by_the_file(cloud: Cloud) -> None:
    properties = schema()["properties"]["connections"]["patternProperties"]
    (held,) = [told for pattern, told in properties.items() if pattern.startswith(f"^{cloud}(")]
    assert {*fields_of(settings_of(cloud)), "environment"} == set(held["properties"])


def test_what_the_environment_says_wins(example: Path) -> None:
    environment = {FILE: str(example), "CAUSEWAY_CONTAINER": "mine", "AWS_REGION": " "}
    adopt("aws", environment)
    assert environment["CAUSEWAY_CONTAINER"] == "mine"
    # Set to nothing counts as unset.
    assert environment["AWS_REGION"] == "eu-central-1"


def test_without_a_file_and_for_workflows_nothing_changes(example: Path) -> None:
    environment = {"PATH": "/bin"}
    adopt("aws", environment)
    assert environment == {"PATH": "/bin"}
    adopt("workflows", environment | {FILE: str(example)})
    assert environment == {"PATH": "/bin"}


def test_endpoints_reach_the_sdk_by_its_own_variables(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "connections:\n  aws:\n    container: c\n    endpoints: {sagemaker-runtime: 'http://127.0.0.1:1'}\n",
    )
    assert Book(file).variables("aws/default")["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"] == "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("connections: [", "is no YAML"),
        ("aws: {}", "one mapping, `connections:`"),
        ("connections: 3", "has to be a mapping"),
        ("connections:\n  aws: 3", ":2: aws has to be a mapping"),
        ("connections:\n  mars: {}", ":2: "),
        ("connections:\n  aws: {}\n  aws/default: {}", ":3: aws/default is there twice"),
        (
            "connections:\n  aws:\n    containr: c",
            ":3: aws/default: containr: is no setting; there are container",
        ),
        ("connections:\n  aws:\n    container: 'a b'", ":3: aws/default: container is wrong"),
        ("connections:\n  aws:\n    grant_life: soon", ":3: aws/default: grant_life is wrong"),
        ("connections:\n  aws:\n    endpoints:\n      s3: ftp://x", ":4: aws/default: s3 is no http"),
        (
            "connections:\n  aws:\n    environment:\n      AZURE_CLIENT_ID: x",
            ":4: aws/default: AZURE_CLIENT_ID: only",
        ),
        ("connections:\n  gcp: {}", "has no aws/default; it has gcp/default"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConnectionsError) as caught:
        adopt("aws", {FILE: str(file)})
    assert said in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "secret_access_key: hunter2",
        "environment: {AWS_SECRET_ACCESS_KEY: hunter2}",
        "environment: {AWS_ACCESS_KEY_ID: hunter2}",
        "environment: {AWS_SESSION_TOKEN: hunter2}",
        "password: hunter2",
    ],
)
def test_a_secret_is_refused_and_never_shown(tmp_path: Path, line: str) -> None:
    file = written(tmp_path, f"connections:\n  aws:\n    container: c\n    {line}\n")
    with pytest.raises(ConnectionsError, match="no secret belongs in this file") as caught:
        adopt("aws", {FILE: str(file)})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe", pure=True).load(file), schema())


def test_a_token_that_lies_in_a_file_may_be_named(tmp_path: Path) -> None:
    line = "environment: {AWS_WEB_IDENTITY_TOKEN_FILE: /var/run/token}"
    file = written(tmp_path, f"connections:\n  aws:\n    container: c\n    {line}\n")
    assert Book(file).variables("aws/default")["AWS_WEB_IDENTITY_TOKEN_FILE"] == "/var/run/token"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectionsError, match=r"nowhere\.yaml cannot be read"):
        adopt("aws", {FILE: str(tmp_path / "nowhere.yaml")})


def test_the_schema_takes_the_example_and_refuses_what_the_worker_would(example: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    document = YAML(typ="safe", pure=True).load(example)
    jsonschema.validate(document, schema())
    document["connections"]["aws"]["containr"] = "c"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, schema())


def test_the_schema_is_printed_without_any_clouds_sdk() -> None:
    look = "import sys; from workers.__main__ import main; sys.argv = ['workers', 'schema']; main(); "
    look += "sys.exit(bool({'boto3', 'azure.ai.ml', 'google.cloud.storage'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", look], cwd=CHECKOUT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == json.loads(json.dumps(schema()))


def test_a_file_that_is_wrong_starts_no_worker_and_is_told_as_a_wrong_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(FILE, str(tmp_path / "nowhere.yaml"))
    with pytest.raises(SystemExit) as ended:
        _wanted()
    assert ended.value.code == 2
    assert "nowhere.yaml cannot be read" in capsys.readouterr().err


def test_all_workers_are_those_of_the_file(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FILE, str(example))
    wanted = [("workflows", ""), ("aws", "default"), ("aws", "us")]
    wanted += [(cloud, "default") for cloud in ("azure", "gcp", "onprem")]
    assert _wanted() == wanted
