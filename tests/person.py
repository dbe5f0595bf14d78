"""A person at a terminal of a certain size: sees what a command draws, presses keys, and leaves."""

import fcntl
import io
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pexpect import EOF, TIMEOUT, fdpexpect

from tests.house import CHECKOUT, PATIENCE_SECONDS

_STYLE = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = "\x1b[H"
_ON, _OFF = "\x1b[?1049h", "\x1b[?1049l"
_SHOWN, _HIDDEN = "\x1b[?25h", "\x1b[?25l"


def _seated() -> None:
    """Make the terminal the process's own; what started the tests may have had it take no notice of Ctrl-C."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Person:
    """Sits at a terminal of which a process is told that it is its own."""

    def __init__(self, command: list[str], variables: dict[str, str], columns: int, rows: int) -> None:
        ours, theirs = pty.openpty()
        self.fd, self.columns, self.rows = ours, columns, rows
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(theirs)
        self._theirs = theirs
        kept = {name: value for name, value in variables.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=CHECKOUT,
            env={**kept, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_seated,
        )
        self._eye = fdpexpect.fdspawn(
            ours, encoding="utf-8", codec_errors="replace", timeout=PATIENCE_SECONDS
        )
        self._eye.logfile_read = io.StringIO()

    @property
    def seen(self) -> str:
        """All that was written and looked at."""
        return self._eye.logfile_read.getvalue()

    def until(self, words: str, seconds: float = PATIENCE_SECONDS) -> None:
        """Look until the words are there, after those that were looked for before."""
        self._eye.expect_exact(words, timeout=seconds)

    def press(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def ends(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Wait for the end, see all that is left, and return how it ended."""
        code = self.process.wait(seconds)
        self.look()
        return code

    def look(self, seconds: float = 1.0) -> str:
        """See what has been written by now, and for a moment more where it does not stand still."""
        new, deadline = "", time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                new += self._eye.read_nonblocking(65536, timeout=0.2)
            except (TIMEOUT, EOF):
                break
        self._eye.buffer = ""
        return new

    @property
    def settings(self) -> list[Any]:
        """How the terminal is set now."""
        return termios.tcgetattr(self._theirs)

    @property
    def frames(self) -> list[list[str]]:
        """Every screen that was drawn whole, as lines."""
        drawn = [piece for piece in self.seen.split(_FRAME)[1:-1] if "\x1b[2J" not in piece]
        return [_STYLE.sub("", piece.split(_OFF)[0]).replace(_SHOWN, "").splitlines() for piece in drawn]

    @property
    def left(self) -> str:
        """What stays on the screen: all that was written since it was given back."""
        return _STYLE.sub("", self.seen.rpartition(_OFF)[2])

    def assert_given_back(self) -> None:
        """The terminal is as it was: its settings, its screen and its cursor."""
        assert self.settings == self.before
        assert self.seen.count(_ON) == self.seen.count(_OFF)
        assert self.seen.rfind(_OFF) >= self.seen.rfind(_ON)
        assert self.seen.rfind(_SHOWN) >= self.seen.rfind(_HIDDEN)

    def leave(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(PATIENCE_SECONDS)
        os.close(self._theirs)
        os.close(self.fd)


@contextmanager
def person(
    *command: str, variables: dict[str, str] | None = None, columns: int = 80, rows: int = 24
) -> Iterator[Person]:
    """Somebody who runs a command of Python's at a terminal."""
    held = Person(list(command), dict(os.environ) if variables is None else variables, columns, rows)
    try:
        yield held
    finally:
        held.leave()
