"""What runs leave on-prem: jobs that go on, drafts of uploads, and files that a killed worker had set aside."""

import shlex
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from activities.onprem.job_folder import JobFolder
from activities.onprem.places import Places
from activities.onprem.writer import abort_below, uploads_in
from activities.sweeping import Found, mark_of
from activities.sweeping_jobs import RUN_TAG, STAGE_TAG
from contracts.sweeps import SweepItem


class FoldersLive:
    """Lists the jobs of a root that have not ended."""

    def __init__(self, places: Places) -> None:
        """Look below this root."""
        self._places = places

    def __call__(self, after: str | None) -> tuple[Iterable[SweepItem], str | None]:
        """Return all of them: one machine runs few at once."""
        return [item for path in _names(self._places.jobs) if (item := _job(path))], None


class Uploads:
    """Drafts of uploads that were neither placed nor given up."""

    kind = "upload"

    def __init__(self, places: Places, container: str) -> None:
        """Look below this root; the default container's prefixes tell the run, and so does the upload's own note."""
        self._places = places
        self._container = container

    def find(self, after: str | None) -> Found:
        """Return all of them."""
        found = []
        for folder, about in uploads_in(self._places):
            run_uid, stage = mark_of(about.uri.removeprefix(self._container))
            run_uid = run_uid or about.owner.partition("/")[0]
            item = SweepItem(
                kind=self.kind,
                id=folder.name,
                name=about.uri,
                run_uid=run_uid,
                stage=stage,
                since=_changed(folder),
                size_bytes=sum(path.stat().st_size for path in _names(folder)),
                cost="disk space",
                by_hand="" if run_uid else shlex.join(("rm", "-r", str(folder))),
            )
            found.append(item)
        return Found(found)

    def stop(self, item: SweepItem) -> None:
        """Remove it; a file that was placed stays."""
        abort_below(self._places, item.name)


class Drafts:
    """Files and job folders that were written aside and never came to their place: nobody writes them for hours."""

    kind = "draft"

    def __init__(self, places: Places) -> None:
        """Look below this root."""
        self._places = places

    def find(self, after: str | None) -> Found:
        """Return all of them."""
        return Found([self._item(path) for path in self._paths()])

    def stop(self, item: SweepItem) -> None:
        """Remove it."""
        for path in self._paths():
            if str(path.relative_to(self._places.hidden)) == item.id:
                shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def _paths(self) -> Iterator[Path]:
        yield from _names(self._places.drafts)
        yield from (path for path in _names(self._places.jobs) if path.name.startswith("."))

    def _item(self, path: Path) -> SweepItem:
        name = str(path.relative_to(self._places.hidden))
        return SweepItem(
            kind=self.kind,
            id=name,
            name=name,
            since=_changed(path),
            size_bytes=path.stat().st_size,
            cost="disk space",
            abandoned=True,
        )


def _job(path: Path) -> SweepItem | None:
    folder = JobFolder(path)
    if path.name.startswith(".") or not folder.exists():
        return None
    order, status = folder.order(), folder.status()
    if RUN_TAG not in order.tags or (status is not None and status.ended):
        return None
    return SweepItem(
        kind="job",
        id=order.name,
        name=order.name,
        run_uid=order.tags[RUN_TAG],
        stage=order.tags.get(STAGE_TAG, ""),
        since=folder.claimed_at,
        cost="processes on the worker's machine",
    )


def _names(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _changed(path: Path) -> datetime:
    """When a file or anything directly in a folder changed last."""
    times = [found.stat().st_mtime for found in (path, *_names(path))]
    return datetime.fromtimestamp(max(times), UTC)
