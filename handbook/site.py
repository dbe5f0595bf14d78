"""The docs as a site: the papers are gathered as the generator wants them, and built so that a broken link ends it."""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from handbook.papers import gather

CHECKOUT = Path(__file__).resolve().parent.parent
CONFIG = Path(__file__).with_name("zensical.toml")
TARGET = CHECKOUT / "site"


class BrokenSite(Exception):
    """The site cannot be built; the text is what the generator said."""


def build(checkout: Path, target: Path) -> None:
    """Build the site of a checkout's papers into a folder, which is replaced.

    Raises:
        BrokenSite: a link leads nowhere, or the generator is not installed.
    """
    if importlib.util.find_spec("zensical") is None:
        raise BrokenSite(f"zensical is not installed for {sys.executable}; run: make setup")
    with tempfile.TemporaryDirectory(prefix="handbook-") as held:
        folder = Path(held)
        gather(checkout, folder / "papers")
        shutil.copyfile(CONFIG, folder / CONFIG.name)
        command = [sys.executable, "-m", "zensical", "build", "--strict"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise BrokenSite(done.stdout + done.stderr)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "site", target)


def main() -> int:
    """Build the site of this checkout."""
    try:
        build(CHECKOUT, TARGET)
    except BrokenSite as error:
        sys.stderr.write(f"{error}\nthe docs were not built; mend what is named above\n")
        return 1
    name = TARGET.relative_to(CHECKOUT)
    sys.stdout.write(
        f"the docs are built: open {name}/index.html; with search, which a browser allows no page on a disk: "
        f"python -m http.server --bind 127.0.0.1 --directory {name}\n"
    )
    return 0
