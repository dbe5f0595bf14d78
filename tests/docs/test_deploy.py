import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from contracts.runs import SEARCH_ATTRIBUTES
from contracts.units import parse_duration
from tests.docs import books
from tests.docs.test_docs import rows_of
from tests.house import CHECKOUT
from workers.catalogue import WORKERS
from workers.serve import GRACE

ROOMS = ("contracts", "telemetry", "workflows", "activities", "workers", "starter", "pipelines")
EMULATOR = "deploy/emulator"
NOWHERE = "127.0.0.1:1"


def parsed(name: str) -> Any:
    return YAML(typ="safe", pure=True).load(books.read(name))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = parsed("docker-compose.yaml")
    return document


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def bare(**added: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **added}


@pytest.mark.parametrize("worker", WORKERS)
def test_a_workers_command_is_one_the_workers_take(
    services: dict[str, Any], worker: str, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", *services[worker]["command"]]
    process = subprocess.Popen(
        command, env=bare(TEMPORAL_ADDRESS=NOWHERE), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.readline()
    if worker == "workflows":
        process.send_signal(signal.SIGTERM)
        process.communicate()
        assert "cannot be reached yet" in said
        assert process.returncode == 0
    else:
        process.communicate()
        # Its settings are missing here; a wrong command would have been answered with the usage.
        assert said.startswith(f"the {worker} worker does not start: CAUSEWAY_CONTAINER is not set")


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_has_its_own_settings_and_no_other(services: dict[str, Any], worker: str) -> None:
    assert services[worker]["env_file"] == [f"env/{worker}.env"]
    assert (CHECKOUT / f"docs/env/{worker}.env.example").is_file()
    assert set(services[worker]["environment"]) <= set(rows_of(worker))


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_has_time_to_land_what_is_in_flight(services: dict[str, Any], worker: str) -> None:
    assert parse_duration(services[worker]["stop_grace_period"]) > GRACE


@pytest.mark.parametrize("worker", WORKERS)
def test_a_workers_health_is_its_ready_file(services: dict[str, Any], worker: str) -> None:
    command = services[worker]["command"]
    ready = command[command.index("--ready-file") + 1]
    assert services[worker]["healthcheck"]["test"] == ["CMD", "test", "-f", ready]
    # A container that comes back must not find the file of its former life.
    assert str(Path(ready).parent) in services[worker]["tmpfs"]
    assert services[worker]["restart"] == "unless-stopped"


def test_temporal_knows_our_search_attributes(services: dict[str, Any]) -> None:
    words = shlex.split(services["temporal-namespace"]["command"][0])
    pairs = [tuple(words[at + 1 : at + 4 : 2]) for at, word in enumerate(words) if word == "--name"]
    assert sorted(pairs) == sorted((key.name, kind_of(key)) for key in SEARCH_ATTRIBUTES)


def kind_of(key: Any) -> str:
    return "".join(part.title() for part in key.indexed_value_type.name.split("_"))


def test_every_reference_within_the_compose_file_leads_somewhere(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert set(service.get("depends_on", {})) <= set(compose["services"]), name
        assert {item["source"] for item in service.get("configs", [])} <= set(compose["configs"]), name
        for volume in service.get("volumes", []):
            source = volume.removesuffix(":ro").rpartition(":")[0]
            known = source in compose["volumes"] or source.startswith("${") or (CHECKOUT / source).is_file()
            assert known, (name, source)


def test_every_variable_of_the_compose_file_is_in_its_example() -> None:
    used = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", books.read("docker-compose.yaml")))
    shown = set(re.findall(r"^([A-Z_]+)=", books.read("docs/env/compose.env.example"), re.MULTILINE))
    assert used == shown


def test_every_image_is_pinned_by_a_tag(services: dict[str, Any]) -> None:
    images = [service["image"] for service in services.values() if "build" not in service]
    images += re.findall(r"^FROM (\S+)", books.read("Dockerfile"), re.MULTILINE)
    assert [image for image in images if not re.search(r":v?\d", image)] == []


def test_ports_are_published_on_loopback_only(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@pytest.mark.parametrize(
    ("file", "ignore", "rooms"),
    [
        ("Dockerfile", ".dockerignore", ROOMS),
        (f"{EMULATOR}/Dockerfile", f"{EMULATOR}/Dockerfile.dockerignore", (*ROOMS, "sandbox")),
    ],
    ids=["product", "emulator"],
)
def test_the_image_takes_what_exists_and_every_room(file: str, ignore: str, rooms: tuple[str, ...]) -> None:
    lines = [line.split()[1:] for line in books.read(file).splitlines() if line.startswith("COPY ")]
    taken = {name for words in lines if not words[0].startswith("--") for name in words[:-1]}
    kept = {line[1:] for line in books.read(ignore).splitlines() if line.startswith("!")}
    assert set(rooms) <= taken
    assert taken == kept
    assert [name for name in taken if not (CHECKOUT / name).exists()] == []


@pytest.mark.parametrize("file", ["Dockerfile", f"{EMULATOR}/Dockerfile"], ids=["product", "emulator"])
def test_the_image_runs_as_nobody_special_and_installs_by_hash(file: str) -> None:
    text = books.read(file)
    user = re.findall(r"^USER (\S+)", text, re.MULTILINE)
    assert user
    assert user[-1] not in {"root", "0"}
    assert text.count("--require-hashes") == text.count("pip install")


def test_the_image_holds_bytecode_so_that_no_run_compiles_the_workflows_again() -> None:
    text = books.read("Dockerfile")
    rooms = re.findall(r"^RUN \S+ -m compileall -q (.+)$", text, re.MULTILINE)[0].split()
    assert set(rooms) == set(ROOMS)
    assert text.index("-m compileall") < text.index("\nUSER "), (
        "the user of the image may write nothing there"
    )


def test_the_image_offers_extras_that_exist() -> None:
    project = books.read("pyproject.toml")
    extras = re.findall(r'^ARG EXTRAS="([^"]*)"', books.read("Dockerfile"), re.MULTILINE)[0].split()
    assert extras
    assert [name for name in extras if not re.search(rf"^{name} = \[", project, re.MULTILINE)] == []


def test_ci_says_what_is_missing_on_a_machine_that_is_too_bare() -> None:
    answer = subprocess.run(
        [CHECKOUT / ".ci/run"], env=bare(PYTHON="python-of-nowhere"), capture_output=True, text=True
    )
    assert answer.returncode == 2
    assert answer.stderr == (
        "ci: there is no python-of-nowhere; install Python 3.11 or newer, or set PYTHON\n"
    )


def test_hooks_are_local_and_their_tools_exist() -> None:
    hooks = [hook for repo in parsed(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    assert {repo["repo"] for repo in parsed(".pre-commit-config.yaml")["repos"]} == {"local"}
    tools = [shlex.split(hook["entry"])[0] for hook in hooks]
    ours = [tool.removeprefix(".venv/bin/") for tool in tools if tool.startswith(".venv/bin/")]
    assert ours
    assert [tool for tool in ours if not (Path(sys.prefix) / "bin" / tool).exists()] == []


def test_the_compose_file_is_one_of_the_compose_specification() -> None:
    ran("check-jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yaml")


@pytest.mark.parametrize("file", ["Dockerfile", f"{EMULATOR}/Dockerfile"], ids=["product", "emulator"])
def test_the_dockerfile_has_nothing_that_its_linter_minds(file: str) -> None:
    ran("hadolint", "--failure-threshold", "style", file)


def test_a_service_that_is_built_names_a_dockerfile_that_exists(services: dict[str, Any]) -> None:
    named = {
        service["build"].get("dockerfile", "Dockerfile")
        for service in services.values()
        if "build" in service
    }
    assert named == {"Dockerfile", f"{EMULATOR}/Dockerfile"}
    assert services["emulator"]["profiles"] == ["emulator"]
    assert "ports" not in services["emulator"], "what it serves is on its own loopback"


def ran(tool: str, *arguments: str) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / tool, *arguments], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
