"""What an on-prem connection answers when it is checked: its folder, its disk, and what its jobs would run with."""

import getpass
import os
import shutil
import socket
import stat
import uuid

import psutil
from temporalio import activity

from activities.looking import Look, finding, look_at_all, passed, probe_look
from activities.onprem.errors import translate
from activities.onprem.settings import OnpremSettings
from activities.store import Store
from contracts.checks import CheckActivities, CheckLine, CheckReport, CheckRequest
from contracts.units import GIB

SCARCE_BYTES = 10 * GIB
"""Less free disk than this is worth a word: a copy writes each object beside its place before it appears there."""


class OnpremCheck(CheckActivities):
    """One root folder on one machine."""

    def __init__(self, settings: OnpremSettings, store: Store, search: str) -> None:
        """Check this root; `search` is the PATH that jobs have."""
        self._settings = settings
        self._store = store
        self._search = search

    @activity.defn(name="connections.check", no_thread_cancel_exception=True)
    def check(self, request: CheckRequest) -> CheckReport:
        """See the contract."""
        root, uri = self._settings.root, self._store.default_container
        identity = f"{getpass.getuser()}@{socket.gethostname()}"
        if not root.is_dir():
            # A probe would make it anew, perhaps where a disk is not mounted.
            why = "No stage of this connection can run."
            line = finding(
                "read",
                str(root),
                "failed",
                "there is no such folder",
                why,
                f"findmnt {root.parent}  # or: mkdir {root}",
            )
            return CheckReport(connection=request.connection, identity=identity, lines=(line,))
        needs = ("storage", "jobs") if request.needs is None else request.needs.needs
        fix = f"chown -R {getpass.getuser()} {root}"
        looks = [
            Look("identity", socket.gethostname(), lambda: [self._who(identity)]),
            Look("read", uri, self._readable, "failed", "No stage that uses this folder can run.", fix),
            probe_look(self._store, uri, uuid.uuid4().hex, fix),
            Look("public_access", str(root), self._open),
            Look("quota", str(root), self._free),
            Look("encryption", str(root), self._encrypted),
        ]
        if "jobs" in needs:
            looks += [Look("jobs", "python", self._python), Look("quota", "machine", self._machine)]
        lines = look_at_all(looks, translate)
        if "tables" in needs:
            why = "The stages that ask for tables cannot run here; give them a connection of Google Cloud."
            lines.append(
                finding("tables", request.connection, "failed", "on-prem connections have none", why)
            )
        return CheckReport(connection=request.connection, identity=identity, lines=tuple(lines))

    def _who(self, identity: str) -> CheckLine:
        if os.geteuid() != 0:
            return passed("identity", socket.gethostname(), identity)
        why = "Every job's process may do everything on this machine."
        return finding(
            "identity",
            socket.gethostname(),
            "warning",
            f"{identity}, the machine's root",
            why,
            "useradd --system causeway; run the worker as causeway",
        )

    def _readable(self) -> list[CheckLine]:
        self._store.ensure_container(self._store.default_container, create=True)
        self._store.list(self._store.default_container, None, 1)
        return [passed("read", self._store.default_container, "can list")]

    def _open(self) -> list[CheckLine]:
        root = self._settings.root
        mode = stat.S_IMODE(root.stat().st_mode)
        if not mode & stat.S_IRWXO:
            return [passed("public_access", str(root), f"closed to other users ({mode:04o})")]
        why = "Every user of this machine reads what runs leave there."
        return [
            finding(
                "public_access",
                str(root),
                "warning",
                f"open to other users ({mode:04o})",
                why,
                f"chmod o-rwx {root}",
            )
        ]

    def _free(self) -> list[CheckLine]:
        root = self._settings.root
        free = shutil.disk_usage(root).free
        found = f"{free / GIB:.0f} GiB free"
        if free >= SCARCE_BYTES:
            return [passed("quota", str(root), found)]
        why = "A copy that does not fit ends with an error, and jobs that find no room fail."
        return [
            finding(
                "quota",
                str(root),
                "warning",
                found,
                why,
                f"df -h {root}  # make room, or move CAUSEWAY_ONPREM_ROOT",
            )
        ]

    def _encrypted(self) -> list[CheckLine]:
        root = str(self._settings.root)
        return [
            finding(
                "encryption",
                root,
                "unknown",
                "a file system does not tell",
                "Whoever takes the disk reads it unless it is encrypted.",
                f"lsblk --fs $(findmnt --noheadings --output SOURCE --target {root})  # crypto_LUKS",
            )
        ]

    def _python(self) -> list[CheckLine]:
        found = shutil.which("python", path=self._search)
        if found:
            return [passed("jobs", "python", found)]
        why = "Jobs begin with the first `python` on their PATH."
        return [
            finding(
                "jobs",
                "python",
                "failed",
                "there is none",
                why,
                "set CAUSEWAY_ONPREM_PATH to the folder of a python",
            )
        ]

    def _machine(self) -> list[CheckLine]:
        told, has = self._settings.memory, psutil.virtual_memory().total
        cpus = os.cpu_count() or 1
        found = f"{cpus} CPUs, {has / GIB:.0f} GiB"
        over = [
            *([f"CAUSEWAY_ONPREM_CPUS={self._settings.cpus}"] if (self._settings.cpus or 0) > cpus else []),
            *([f"CAUSEWAY_ONPREM_MEMORY={told / GIB:.0f} GiB"] if told and told > has else []),
        ]
        if not over:
            return [passed("quota", "machine", found)]
        why = "Jobs are let in that the machine cannot hold."
        return [
            finding(
                "quota",
                "machine",
                "warning",
                f"{found}, but {' and '.join(over)}",
                why,
                "take the setting out: what the machine has is measured",
            )
        ]
