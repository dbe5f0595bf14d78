"""How the command line ends: its exit codes, and the one error that becomes a line and a code."""

from enum import IntEnum


class Exit(IntEnum):
    """What a caller can rely on."""

    SUCCEEDED = 0
    FAILED = 1
    """The run failed or was cancelled."""
    USAGE = 2
    """Wrong usage or a wrong spec."""
    UNREACHABLE = 3
    """Temporal, a worker or the sandbox could not be reached."""
    WAITING = 4
    """The run waits for a person, and there is no terminal to ask on."""
    UNWRITABLE = 74
    """Standard output cannot be written, such as on a full disk; the run goes on. sysexits.h calls it EX_IOERR."""
    INTERRUPTED = 130
    """Ctrl-C; the run goes on."""
    UNREAD = 141
    """Who read the output has gone, as `| head` does; the run goes on. What SIGPIPE would come to in a shell."""


class StarterError(Exception):
    """Something a person must hear about, in one line or a few; never a traceback."""

    def __init__(self, message: str, code: Exit = Exit.USAGE) -> None:
        """Say it and end with this code."""
        super().__init__(message)
        self.message = message
        self.code = code
