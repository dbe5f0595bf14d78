"""The peer: rclone, as it comes from PyPI, told of the same stores and given the same number of streams."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.ends import google_identity
from bench.ground import Ground
from sandbox import tools
from sandbox.layout import Layout

CHUNK = "16M"
"""Both cut objects into parts of this size."""


@dataclass(frozen=True)
class Spent:
    """What one copy took of a machine."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    """Resident memory at most."""


class Rclone:
    """Runs `rclone copy` or `copyto` as a process of its own each time, as its users do."""

    def __init__(self, ground: Ground) -> None:
        """Have the binary, and tell it of the ground's stores.

        Raises:
            SandboxError: it cannot be installed.
        """
        layout = Layout.from_environment()
        tools.ensure(layout, ("bench",), print)
        self._binary = _binary(layout)
        self._environment = _remotes(ground)
        self._google = google_identity(ground.endpoints)

    def copy(self, source: str, target: str, *, streams: int, folder: bool, skip_same: bool = False) -> Spent:
        """Copy an object, or all below a folder, once.

        Raises:
            RuntimeError: rclone failed.
        """
        command = [str(self._binary), "copy" if folder else "copyto", source, target]
        command += ["--transfers", str(streams), "--checkers", str(2 * streams)]
        command += ["--multi-thread-streams", str(streams), "--multi-thread-chunk-size", CHUNK]
        command += ["--s3-chunk-size", CHUNK, "--s3-upload-concurrency", str(streams)]
        command += ["--azureblob-chunk-size", CHUNK, "--azureblob-upload-concurrency", str(streams)]
        command += ["--config", os.devnull, "--retries", "1", "--s3-no-check-bucket"]
        command += [] if skip_same else ["--ignore-times"]
        environment = {**self._environment, "RCLONE_CONFIG_GS_ACCESS_TOKEN": self._token()}
        began = time.perf_counter()
        process = os.posix_spawn(self._binary, command, environment)
        _, status, used = os.wait4(process, 0)
        seconds = time.perf_counter() - began
        if os.waitstatus_to_exitcode(status):
            raise RuntimeError(f"rclone {' '.join(command[1:4])} failed")
        return Spent(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)

    def _token(self) -> str:
        from google.auth.transport.requests import Request

        if not self._google.valid:
            self._google.refresh(Request())
        return str(self._google.token)


def _binary(layout: Layout) -> Path:
    """The program itself: a script of Python around it would be measured too."""
    held = layout.tools / "bench"
    found = [path for path in held.rglob("rclone*") if path.is_file() and path.stat().st_size > 10_000_000]
    return found[0]


def _remotes(ground: Ground) -> Mapping[str, str]:
    endpoints = ground.endpoints
    s3 = {
        "TYPE": "s3",
        "PROVIDER": "Other",
        "REGION": endpoints.aws_region,
        "ACCESS_KEY_ID": endpoints.aws_access_key_id,
        "SECRET_ACCESS_KEY": endpoints.aws_secret_access_key,
        "FORCE_PATH_STYLE": "true",
    }
    remotes = {
        # Under one name rclone would have the store copy by itself, and move no byte.
        "S3": s3 | {"ENDPOINT": endpoints.s3_url},
        "SECOND": s3 | {"ENDPOINT": endpoints.s3_url},
        "FREE": s3 | {"ENDPOINT": f"http://127.0.0.1:{ground.free_port}"},
        "SINK": s3 | {"ENDPOINT": f"http://127.0.0.1:{ground.free_port}"},
        "AZ": {
            "TYPE": "azureblob",
            "ACCOUNT": endpoints.blob_account,
            "KEY": endpoints.blob_key,
            "ENDPOINT": endpoints.blob_url,
        },
        "GS": {"TYPE": "gcs", "ENDPOINT": f"{endpoints.gcs_url}/storage/v1/"},
        "HERE": {"TYPE": "local"},
    }
    told = {
        f"RCLONE_CONFIG_{remote}_{name}": value
        for remote, options in remotes.items()
        for name, value in options.items()
    }
    return {"PATH": os.defpath, "HOME": str(ground.root), "SSL_CERT_FILE": str(endpoints.ca_bundle), **told}
