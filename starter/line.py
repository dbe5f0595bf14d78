"""A line that a person types below the live view: its label, what stands there by now, and what it is for."""

import re
from collections.abc import Callable
from dataclasses import dataclass

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[ -/]*[@-~]|O.)")
"""What arrows, function keys and the marks around a paste are sent as."""
_ERASE, _KILL, _DONE = "\x7f\x08", "\x15", "\r\n"
_GIVE_UP = "\x1b\x04"
LIMIT = 1000


def keys_of(text: str) -> str:
    """What was typed, without what only moves a cursor."""
    return _SEQUENCE.sub("", text)


@dataclass
class Line:
    """One question to the person at the keys."""

    label: str
    then: Callable[[str], None]
    """What is done with the line."""
    stage: str = ""
    """The stage that waits for it; once it does not, there is nothing to answer."""
    text: str = ""

    def feed(self, key: str) -> bool | None:
        """Take a key; return True once the line is given, False when it is given up, and None while it goes on."""
        if key in _GIVE_UP:
            return False
        if key in _DONE:
            return True
        if key in _ERASE:
            self.text = self.text[:-1]
        elif key == _KILL:
            self.text = ""
        elif key.isprintable() and len(self.text) < LIMIT:
            self.text += key
        return None
