"""Ends a process that has spoken to Temporal, and sees its output off."""

import errno
import os
import sys
from typing import NoReturn, TextIO

from starter.exits import Exit
from starter.traced import close

_OF_OUTPUT = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EPIPE}


def leave(code: int) -> NoReturn:
    """End without Python's own tear-down.

    The core's threads outlive the interpreter and abort it now and then with code 134 (temporalio/sdk-python issue 300).
    """
    close()
    os._exit(flushed(code))


def flushed(code: int) -> int:
    """Write out what is still held; return the code to end with, which tells if that was not possible."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        code = code or unwritten(error)
    try:
        sys.stderr.flush()
    except (OSError, ValueError):
        _drop(sys.stderr)
        code = code or Exit.UNWRITABLE
    return code


def unwritten(error: OSError | ValueError) -> Exit:
    """Say that standard output took no more, unless who read it has just gone; what is left of it is dropped.

    Raises:
        OSError: the error has nothing to do with output.
    """
    if isinstance(error, OSError) and error.errno not in _OF_OUTPUT:
        raise error
    _drop(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return Exit.UNREAD
    why = error.strerror if isinstance(error, OSError) else str(error)
    try:
        sys.stderr.write(f"standard output cannot be written: {why}\n")
    except OSError:
        _drop(sys.stderr)
    return Exit.UNWRITABLE


def _drop(stream: TextIO) -> None:
    """Let what a stream still holds go nowhere, so that no later flush stumbles over it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
