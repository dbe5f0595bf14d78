"""A store that a job sees as folders: `/gcs/<bucket>/<path>` on Vertex AI is Cloud Storage.

Nothing is mounted here. What the job's texts name under the mount point is fetched before the command runs,
and what is new or changed below it is delivered afterwards. Unlike the vendor's mount, nothing else of the
bucket can be seen, a change is visible to others only at the end, and a deletion stays local.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sandbox.servers.stores import StoreError, Stores

_BUCKET = r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"
# A path ends where a shell word or a list of paths would.
_PATH = r"(?:/[^\s\"'`$;|&<>()\\,:]*)?"

Print = tuple[int, int, int]


@dataclass(frozen=True)
class Mount:
    """Which texts mean the store."""

    point: str
    """Absolute, without a slash at the end: `/gcs`."""
    scheme: str
    """The scheme of the URIs behind it: `gs`."""


class MountedStore:
    """One job's view of a mount, kept in a folder of its own."""

    def __init__(self, mount: Mount, folder: Path, stores: Stores) -> None:
        """Stand in for the mount at `folder`, which need not exist."""
        self._mount = mount
        self._folder = folder
        self._stores = stores
        self._seen: dict[Path, Print] = {}
        self._token = re.compile(rf"(?<![\w./-]){re.escape(mount.point)}/({_BUCKET})({_PATH})")

    @property
    def rewrite(self) -> dict[str, str]:
        """What texts must say instead."""
        return {f"{self._mount.point}/": f"{self._folder}/"}

    def fetch(self, texts: Iterable[str], between: Callable[[], None] = lambda: None) -> list[Path]:
        """Bring what the texts name, and what the `*.sh` files among that name in turn; the fetched files.

        A token that ends in `/` is a folder, which exists afterwards even if the store holds nothing of it.
        Any other is an object, or else a folder when the store has objects below it.

        Raises:
            StoreError: A token names a whole bucket, or the store refuses.
        """
        fetched: list[Path] = []
        waiting = [token for text in texts for token in self._tokens(text)]
        done: set[str] = set()
        while waiting:
            token = waiting.pop(0)
            if token in done or any(known.endswith("/") and token.startswith(known) for known in done):
                continue
            done.add(token)
            found = self._fetch(token, between)
            fetched += found
            scripts = [path.read_text(errors="replace") for path in found if path.suffix == ".sh"]
            waiting += [named for text in scripts for named in self._tokens(text)]
        return fetched

    def remember(self) -> None:
        """Take what lies there now as known, so that it is not delivered."""
        self._seen = {path: _print(path) for path in self._files()}

    def deliver(self) -> int:
        """Bring every file that is new or changed since `remember` to the store, and say how many."""
        changed = [path for path in sorted(self._files()) if self._seen.get(path) != _print(path)]
        for path in changed:
            self._stores.deliver_file(
                path, f"{self._mount.scheme}://{path.relative_to(self._folder).as_posix()}"
            )
        return len(changed)

    def _tokens(self, text: str) -> Iterator[str]:
        # `folder/.` is what a script copies the content of: the folder itself.
        return (
            f"{bucket}{path[:-1] if path.endswith('/.') else path}"
            for bucket, path in self._token.findall(text)
        )

    def _fetch(self, token: str, between: Callable[[], None]) -> list[Path]:
        name = token.partition("/")[2]
        if not name:
            raise StoreError(
                f"{self._mount.point}/{token} is a whole bucket: name a folder or an object in it"
            )
        uri, place = f"{self._mount.scheme}://{token}", self._folder / token
        if ".." in Path(token).parts:
            raise StoreError(f"{self._mount.point}/{token} would leave the job's folder")
        if token.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
            return self._stores.fetch_folder(uri, place, between)
        place.parent.mkdir(parents=True, exist_ok=True)
        if self._stores.exists(uri):
            return [self._stores.fetch_file(uri, place)]
        return self._stores.fetch_folder(f"{uri}/", place, between)

    def _files(self) -> Iterator[Path]:
        return (path for path in self._folder.rglob("*") if path.is_file() and not path.is_symlink())


def _print(path: Path) -> Print:
    found = path.stat()
    return found.st_mtime_ns, found.st_size, found.st_ino
