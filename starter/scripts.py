"""The scripts by which shells know `causeway` and complete it."""

import shlex
import sys

from starter.exits import Exit
from starter.local import CHECKOUT

_PROGRAM = "import sys; sys.path.insert(0, {checkout!r}); from starter.cli import main; main()"


def script(shell: str) -> Exit:
    """Print the script for a shell: a function that calls this very Python on this very checkout, and what completes it."""
    text = (CHECKOUT / "starter" / "shells" / f"causeway.{shell}").read_text()
    # Nothing is installed, so the program has no file of its own; -P keeps the folder it is called from out of it.
    called = (sys.executable, "-P", "-c", _PROGRAM.format(checkout=str(CHECKOUT)))
    sys.stdout.write(text.replace("@CAUSEWAY@", " ".join(map(shlex.quote, called))))
    return Exit.SUCCEEDED
