"""Which loopback ports the servers get: the usual ones where free, others where not."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Collection, Iterable, Mapping

USUAL = {
    "temporal": 7233,
    "temporal_ui": 8233,
    "aws": 4566,
    "blob": 10000,
    "blob_behind": 10010,
    "gcs": 4443,
    "gcs_behind": 4453,
    "bigquery": 9050,
    "bigquery_behind": 9051,
    "bigquery_grpc": 9060,
    "sagemaker": 4567,
    "azure": 4568,
    "vertex": 4569,
}
# Below the range that Linux and macOS lend to outgoing connections: such a port is still free tomorrow.
SPARE = range(20_000, 32_000)
LAST_BREATH_SECONDS = 10.0
"""What a server that was ended may take to let go of its port."""


def is_free(port: int) -> bool:
    """Whether a server can listen on this loopback port now; a closed connection's echo does not count."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def wait_free(numbers: Iterable[int]) -> None:
    """Return when a server can listen on each of these ports, or after ten seconds: whoever starts there says why not."""
    deadline = time.monotonic() + LAST_BREATH_SECONDS
    for port in numbers:
        while not is_free(port) and time.monotonic() < deadline:
            time.sleep(0.05)


def assign(wanted: Mapping[str, int | None], *, held: Collection[str] = ()) -> dict[str, int]:
    """Give each name the port it wants if that is free, else a spare one; no port is given twice.

    `held` names keep their port unasked: our own server listens there already.
    """
    kept = {name: port for name, port in wanted.items() if port and (name in held or is_free(port))}
    given = dict(kept)
    for name in wanted:
        if name not in given:
            given[name] = _spare(set(given.values()) | {port for port in wanted.values() if port})
    return {name: given[name] for name in wanted}


def _spare(avoid: set[int]) -> int:
    for port in random.sample(SPARE, len(SPARE)):
        if port not in avoid and is_free(port):
            return port
    raise OSError(f"no free port between {SPARE.start} and {SPARE.stop}")
