"""The terminal is given back in every case: its settings, its screen, its cursor."""

import os
import signal
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house import until
from tests.person import Person, person

HOLDER = """
import asyncio, sys
from rich.text import Text
from starter.show import console
from starter.terminal import Terminal

typed = []

async def main():
    with Terminal(console(), typed.append, "it goes on") as terminal:
        while True:
            terminal.show(Text(f"typed {''.join(typed)!r} in {console().width} columns"))
            await asyncio.sleep(0.05)
            if "!" in "".join(typed):
                raise ValueError("it broke")
            if "q" in "".join(typed):
                return

asyncio.run(main())
print("left")
"""
IN_THE_BACKGROUND = """
import os, signal, subprocess, sys, termios
before = termios.tcgetattr(0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
holder = subprocess.Popen([sys.executable, "-c", sys.argv[1]], process_group=0)
os.tcsetpgrp(0, holder.pid)
for line in open(sys.argv[2]):
    os.tcsetpgrp(0, holder.pid if line.strip() == "front" else os.getpgrp())
    if line.strip() == "back":
        termios.tcsetattr(0, termios.TCSADRAIN, before)
holder.wait()
"""


@pytest.fixture
def holder() -> Iterator[Person]:
    with person("-c", HOLDER) as held:
        held.until("typed ''")
        yield held


def test_while_it_is_ours_keys_come_one_by_one_and_unseen(holder: Person) -> None:
    assert not holder.settings[3] & (termios.ICANON | termios.ECHO)
    assert holder.settings[3] & termios.ISIG
    holder.press("ab")
    holder.until("typed 'ab'")
    holder.press("q")
    holder.until("left")
    assert holder.ends() == 0
    holder.assert_given_back()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_that_ends_it_ends_it_as_ever_and_the_terminal_is_as_before(
    holder: Person, number: signal.Signals
) -> None:
    holder.process.send_signal(number)
    assert holder.ends() == -number
    assert "it goes on" in holder.left
    holder.assert_given_back()


def test_ctrl_c_gives_the_terminal_back(holder: Person) -> None:
    holder.press("\x03")
    assert holder.ends() == -signal.SIGINT
    holder.assert_given_back()


def test_an_error_is_seen_on_a_terminal_as_it_was(holder: Person) -> None:
    holder.press("!")
    assert holder.ends() == 1
    assert "ValueError: it broke" in holder.left
    holder.assert_given_back()


def test_ctrl_z_gives_the_terminal_back_until_it_goes_on(holder: Person) -> None:
    holder.press("\x1a")
    until(lambda: _state(holder.process.pid) == "T", "stopped")
    holder.look()
    holder.assert_given_back()
    holder.process.send_signal(signal.SIGCONT)
    holder.press("c")
    holder.until("typed 'c")
    assert not holder.settings[3] & termios.ECHO
    holder.press("q")
    assert holder.ends() == 0
    holder.assert_given_back()


def test_a_terminal_that_was_reset_while_it_stood_still_is_taken_anew(holder: Person) -> None:
    holder.process.send_signal(signal.SIGSTOP)
    until(lambda: _state(holder.process.pid) == "T", "stopped")
    termios.tcsetattr(holder.fd, termios.TCSANOW, holder.before)
    holder.process.send_signal(signal.SIGCONT)
    until(lambda: not holder.settings[3] & termios.ECHO, "taken again")
    holder.press("q")
    assert holder.ends() == 0
    holder.assert_given_back()


def test_a_new_size_is_drawn_at_once(holder: Person) -> None:
    holder.resize(40, 10)
    holder.until("in 40 columns")
    holder.look()
    assert len(holder.frames[-1]) <= 10
    assert max(map(len, holder.frames[-1])) <= 40


def test_in_the_background_it_leaves_the_terminal_alone_and_comes_back(tmp_path: Path) -> None:
    orders = tmp_path / "orders"
    os.mkfifo(orders)
    with person("-c", IN_THE_BACKGROUND, HOLDER, str(orders)) as shell, orders.open("w", buffering=1) as told:
        shell.until("typed ''")
        told.write("back\n")
        shell.until("\x1b[?1049l")
        shell.look()
        shell.assert_given_back()
        assert shell.look() == "", "it draws nothing in the background"
        told.write("front\n")
        shell.until("typed ''")
        assert not shell.settings[3] & termios.ECHO
        shell.press("q")
        shell.until("left")
        shell.look()
        shell.assert_given_back()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
