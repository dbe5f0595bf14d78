"""One job's folder on disk: what was asked, how it stands, and the marks that worker and runner leave.

The folder's existence under the job's name is the claim: whoever renames it into place owns the job. A job's runner
imports this: standard library only.
"""

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from activities.onprem.atomic import write_atomically
from activities.onprem.job_notes import Order, Status


class JobFolder:
    """The files of one job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.script = path / "run.sh"
        self.log = path / "log"
        self.work = path / "work"
        self._order = path / "order.json"
        self._status = path / "status.json"
        self._stop = path / "stop"
        self._kept = path / "kept"

    @classmethod
    def claim(cls, path: Path, order: Order, script: str) -> bool:
        """Make the folder with everything in it; False when a job of this name is there already."""
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = cls(path.with_name(f".{uuid.uuid4().hex}"))
        draft.path.mkdir(mode=0o700)
        try:
            for name in ("home", "tmp", "site", "outputs"):
                (draft.path / name).mkdir()
            draft.script.write_text(script)
            write_atomically(draft._order, order.written())
            # Renaming onto a folder that holds something fails, so only one of several callers wins.
            draft.path.rename(path)
        except OSError:
            if not cls(path).exists():
                raise
            return False
        finally:
            shutil.rmtree(draft.path, ignore_errors=True)
        return True

    def exists(self) -> bool:
        """Whether the job was ever claimed."""
        return self._order.is_file()

    @property
    def claimed_at(self) -> datetime:
        """When the job was claimed: what was asked is written then, and never again."""
        return datetime.fromtimestamp(self._order.stat().st_mtime, UTC)

    def order(self) -> Order:
        """Return what was asked."""
        return Order.read(self._order.read_bytes())

    def status(self) -> Status | None:
        """Return what the runner wrote last; None before it began."""
        try:
            return Status.read(self._status.read_bytes())
        except FileNotFoundError:
            return None

    def write_status(self, status: Status) -> None:
        """Replace the status as a whole."""
        write_atomically(self._status, status.written())

    def ask_to_stop(self) -> None:
        """Leave the mark that the runner looks for."""
        self._stop.touch()

    @property
    def stop_asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._stop.exists()

    def keep(self) -> None:
        """Leave the mark of a server that stays when its run has ended."""
        self._kept.touch()

    @property
    def kept(self) -> bool:
        """Whether it stays when its run has ended."""
        return self._kept.exists()

    @contextmanager
    def exclusively(self) -> Iterator[bool]:
        """Hold the job's lock, which the runner keeps for life; yields False when another process has it."""
        handle = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(handle)
