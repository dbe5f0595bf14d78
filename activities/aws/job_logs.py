"""The lines a job printed, as CloudWatch Logs holds them."""

from typing import Any

from botocore.exceptions import ClientError

from activities.aws.errors import code_of
from contracts.jobs import LogPage

NEEDS = {
    "describe_log_streams": ("logs:DescribeLogStreams",),
    "get_log_events": ("logs:GetLogEvents",),
}

TRAINING_GROUP = "/aws/sagemaker/TrainingJobs"
PROCESSING_GROUP = "/aws/sagemaker/ProcessingJobs"
MOST_LINES = 10_000
"""GetLogEvents gives no more at once."""


def read_log(client: Any, group: str, name: str, tail: int, after: str | None) -> LogPage:
    """Return the last lines of a job's log, or those after a token; empty while there is none."""
    try:
        stream = after.partition("|")[0] if after else _stream(client, group, name)
        if stream is None:
            return LogPage(lines=(), next_after=after)
        place = None if after is None else after.partition("|")[2]
        return _page(client, group, stream, tail, place)
    except ClientError as error:
        if code_of(error) != "ResourceNotFoundException":
            raise
        return LogPage(lines=(), next_after=after)


def _stream(client: Any, group: str, name: str) -> str | None:
    # One machine, one stream; the slash keeps g1 apart from g10.
    found = client.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/", limit=1)
    streams = found.get("logStreams", [])
    return str(streams[0]["logStreamName"]) if streams else None


def _page(client: Any, group: str, stream: str, tail: int, token: str | None) -> LogPage:
    # A token leads on only in the direction it was given for, which startFromHead names again.
    where: dict[str, Any] = {"startFromHead": token is not None} | ({"nextToken": token} if token else {})
    limit = max(1, min(tail, MOST_LINES)) if token is None else MOST_LINES
    answer = client.get_log_events(logGroupName=group, logStreamName=stream, limit=limit, **where)
    lines = tuple(event["message"].rstrip("\n") for event in answer["events"])
    return LogPage(lines=lines, next_after=f"{stream}|{answer['nextForwardToken']}")
