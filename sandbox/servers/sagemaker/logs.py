"""What jobs print, brought to CloudWatch Logs where the vendor would put it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.layout import Endpoints

READ_BYTES = 256 * 1024
MOST_EVENTS = 9_000
"""With `READ_BYTES` below the vendor's 10 000 events and 1 MiB a call, however long the lines are."""
MOST_CALLS = 20
"""In one go, so that a talkative job does not hold up the others."""


class CloudWatch:
    """The Logs service of the sandbox."""

    def __init__(self, endpoints: Endpoints) -> None:
        """Connect with the sandbox's key, impatiently: a log is never worth waiting for."""
        import boto3
        from botocore.config import Config

        self._logs = boto3.client(
            "logs",
            endpoint_url=endpoints.s3_url,
            region_name=endpoints.aws_region,
            aws_access_key_id=endpoints.aws_access_key_id,
            aws_secret_access_key=endpoints.aws_secret_access_key,
            config=Config(connect_timeout=1, read_timeout=3, retries={"total_max_attempts": 1}),
        )

    def ship(self, path: Path, offset: int, group: str, stream: str, *, final: bool) -> tuple[int, bool]:
        """Send what the file holds beyond the offset: the new offset, and whether nothing is left to send.

        Only whole lines go until `final`. A service that is away changes nothing: call again later.
        """
        for _ in range(MOST_CALLS):
            lines, used = _lines(path, offset, final=final)
            if not used:
                return offset, True
            if lines and not self._put(group, stream, lines):
                return offset, False
            offset += used
        return offset, False

    def _put(self, group: str, stream: str, lines: list[str]) -> bool:
        now = int(time.time() * 1000)
        events: list[Any] = [{"timestamp": now, "message": line or " "} for line in lines]
        try:
            try:
                self._logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
            except self._logs.exceptions.ResourceNotFoundException:
                self._create(group, stream)
                self._logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        except (BotoCoreError, ClientError):
            return False
        return True

    def _create(self, group: str, stream: str) -> None:
        calls: list[tuple[Any, dict[str, str]]] = [
            (self._logs.create_log_group, {"logGroupName": group}),
            (self._logs.create_log_stream, {"logGroupName": group, "logStreamName": stream}),
        ]
        for create, names in calls:
            try:
                create(**names)
            except self._logs.exceptions.ResourceAlreadyExistsException:
                continue


def _lines(path: Path, offset: int, *, final: bool) -> tuple[list[str], int]:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            piece = stream.read(READ_BYTES)
    except FileNotFoundError:
        return [], 0
    if b"\n" in piece or (len(piece) < READ_BYTES and not final):
        piece = piece[: piece.rfind(b"\n") + 1]
    lines = piece.splitlines(keepends=True)[:MOST_EVENTS]
    used = sum(len(line) for line in lines)
    return [line.decode(errors="replace").rstrip("\r\n") for line in lines], used
