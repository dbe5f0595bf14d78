"""A person's terminal: its screen and its keys are ours while a run is watched, and as they were at any other moment."""

import asyncio
import codecs
import errno
import os
import signal
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from rich.console import Console, RenderableType
from rich.control import Control
from rich.live import Live

_LAST_WORDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_IFLAG, _LFLAG, _CC = 0, 3, 6
"""Places in what `termios.tcgetattr` returns."""


def in_the_foreground(fd: int) -> bool:
    """Whether the terminal listens to this process, rather than to the shell that put it in the background."""
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError as error:
        # A terminal that controls nobody has no background; one that has hung up is nobody's.
        return error.errno == errno.ENOTTY


def has_a_person(out: Console) -> bool:
    """Whether somebody looks at what is written and can press keys."""
    drawn = out.is_terminal and not out.is_dumb_terminal
    return drawn and sys.stdin.isatty() and in_the_foreground(sys.stdin.fileno())


class Terminal:
    """Draws on the alternate screen and hands on what is typed.

    The screen and the terminal's settings are given back on leaving, on an error, on SIGTERM, SIGHUP and SIGQUIT, and
    while the process is stopped (Ctrl-Z) or in the background.
    """

    def __init__(self, out: Console, typed: Callable[[str], None], farewell: str) -> None:
        """Nothing is touched before `with`."""
        self._out, self._typed, self._farewell = out, typed, farewell
        self._fd = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._fd)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._live: Live | None = None
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> "Terminal":
        """Take the terminal."""
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGTSTP: self._stop,
            signal.SIGCONT: self._back,
            signal.SIGWINCH: self._resized,
        }
        for number, handler in handlers.items():
            self._loop.add_signal_handler(number, handler)
        for number in _LAST_WORDS:
            self._loop.add_signal_handler(number, self._end, number)
        self._handled = (*handlers, *_LAST_WORDS)
        try:
            self.settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        try:
            self._release()
        finally:
            for number in self._handled:
                self._loop.remove_signal_handler(number)

    def show(self, view: RenderableType) -> None:
        """Draw, unless the process is in the background."""
        if self.settle() and self._live:
            self._live.update(view, refresh=True)

    def settle(self) -> bool:
        """Take the terminal where it listens to this process, and leave it alone where it does not."""
        ours = in_the_foreground(self._fd)
        if ours and self._live is None:
            self._take()
        elif not ours and self._live is not None:
            self._release()
        return ours

    def _take(self) -> None:
        # First of all, so that it is released whatever of this fails.
        self._live = Live(console=self._out, screen=True, auto_refresh=False)
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._key_by_key())
        self._loop.add_reader(self._fd, self._read)
        self._live.start()

    def _key_by_key(self) -> list[Any]:
        """The settings in which keys come one by one and unseen, and Ctrl-C, Ctrl-Z stay what they are."""
        wanted: list[Any] = [*self._before]
        # Without Ctrl-S: a screen that stands still would hold up the process, and with it its last words.
        wanted[_IFLAG] &= ~termios.IXON
        wanted[_LFLAG] &= ~(termios.ICANON | termios.ECHO)
        wanted[_CC] = [*self._before[_CC]]
        wanted[_CC][termios.VMIN], wanted[_CC][termios.VTIME] = 1, 0
        return wanted

    def _release(self) -> None:
        live, self._live = self._live, None
        if live is None:
            return
        self._loop.remove_reader(self._fd)
        try:
            live.stop()
        finally:
            # In the background they are the shell's, which has set them as it wants them.
            if in_the_foreground(self._fd):
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def _read(self) -> None:
        try:
            piece = os.read(self._fd, 4096) if in_the_foreground(self._fd) else b""
        except OSError:
            piece = b""
        if piece:
            self._typed(self._decoder.decode(piece))
        else:
            # The terminal has gone, or speaks to the shell: nothing to wait for until it is settled anew.
            self._loop.remove_reader(self._fd)

    def _resized(self) -> None:
        if self._live:
            self._out.control(Control.clear())
        self._typed("")

    def _stop(self) -> None:
        """Stop as Ctrl-Z would have it; the shell finds its terminal as it was."""
        self._release()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _back(self) -> None:
        """Go on: whoever stopped this process may have changed the settings."""
        with suppress(OSError):
            self._release()
        self._typed("")

    def _end(self, number: int) -> None:
        """End as the signal would have it, with the terminal as it was."""
        try:
            self._release()
            sys.stderr.write(f"{self._farewell}\n")
            sys.stderr.flush()
        except (OSError, termios.error):
            # There is no terminal any more.
            pass
        finally:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
