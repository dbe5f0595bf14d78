"""A collector that is away costs what is observed nothing: no second of a run, no stage, no clean end, one line of log."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.house import PATIENCE_SECONDS, until
from tests.observed.receiver import Received
from tests.observed.test_observed import ONE_EXPORT_SECONDS, Site, pipeline, value


@contextmanager
def hanging() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        yield server.getsockname()[1]


@contextmanager
def refusing() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize(
    "away", [pytest.param(refusing, marks=pytest.mark.durability), hanging], ids=["refusing", "hanging"]
)
def test_a_collector_that_is_away_slows_and_fails_nothing(away: object, tmp_path: Path) -> None:
    with away() as port:  # type: ignore[operator]
        collector = Received()
        collector.port = port
        site = Site(tmp_path, collector)
        try:
            site.serve()
            for worker in ("workflows", "onprem"):
                site.hire(worker)
            for worker in ("workflows", "onprem"):
                until(lambda name=worker: site.ask(name, "/readyz")[0] == 200, f"{worker} is ready")
            began = time.monotonic()
            site.run(pipeline(tmp_path))
            starter = time.monotonic() - began
            text = site.ask("workflows", "/metrics")[1]
            assert value(text, "causeway_runs_total", state="SUCCEEDED") == 1
            run = value(text, "causeway_run_seconds_sum", state="SUCCEEDED")
            assert run < ONE_EXPORT_SECONDS, "not one export was waited for"
            assert starter - run < ONE_EXPORT_SECONDS, "the starter gives up after three seconds"
            until(lambda: told(site, "traces") and told(site, "metrics"), "a warning")
            time.sleep(3)
            assert (told(site, "traces"), told(site, "metrics")) == (1, 1), "once, not at each attempt"
            for worker in ("workflows", "onprem"):
                site.processes[worker].send_signal(signal.SIGTERM)
            assert [site.processes[worker].wait(PATIENCE_SECONDS) for worker in ("workflows", "onprem")] == [
                0,
                0,
            ]
        finally:
            site.close()


def told(site: Site, what: str) -> int:
    return (site.folder / "onprem.log").read_text().count(f"{what} do not get through")
