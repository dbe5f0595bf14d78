"""An alert as its receiver gets it, over real HTTP."""

import json
import re
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.alerts import Receiver as Settings
from activities.alerts import Webhook
from contracts.alerts import Alert
from contracts.jobs import RunRef
from contracts.observed import ALERT_EVENTS, AlertEvent, Observed
from tests.docs import books
from tests.receiver import Receiver, receiving
from workers.catalogue import WORKERS, own_environment

ALERT = Alert(
    id="5f/waiting/train/1",
    event="waiting",
    run=RunRef(pipeline="churn", key="k", run_uid="5f"),
    at=datetime(2026, 11, 25, tzinfo=UTC),
    stage="train",
    kind="JOB_FAILED",
    message="<!channel> x & y",
    hint="read the log",
)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as held:
        yield held


def webhook(url: str, secret: str = "s3cret") -> Webhook:
    settings = Settings.from_mapping({"CAUSEWAY_ALERT_URL": url, "CAUSEWAY_ALERT_SECRET": secret})
    return Webhook(settings, Observed())


def is_genuine(headers: Any, body: bytes, secret: bytes) -> bool:
    """As the verifier in docs/alerts.md says."""
    (fence,) = (fence for fence in books.fences("docs/alerts.md") if fence.info == "python")
    names: dict[str, Any] = {}
    exec(fence.text, names)
    return bool(names["is_genuine"](headers, body, secret))


def test_a_receiver_can_check_who_sent_it_by_the_verifier_of_the_docs(receiver: Receiver) -> None:
    assert webhook(receiver.url).send(ALERT).delivered
    (post,) = receiver.posts
    assert is_genuine(post.headers, post.body, b"s3cret")
    assert not is_genuine(post.headers, post.body.replace(b"churn", b"other"), b"s3cret")
    assert not is_genuine(post.headers, post.body, b"another")
    old = {**post.headers, "Causeway-Timestamp": str(int(time.time()) - 3600)}
    assert not is_genuine(old, post.body, b"s3cret")


def test_the_body_tells_what_happened_and_its_text_is_no_markup(receiver: Receiver) -> None:
    webhook(receiver.url).send(ALERT)
    said = json.loads(receiver.posts[0].body)
    assert said["id"] == receiver.posts[0].headers["Causeway-Id"] == ALERT.id
    assert (said["event"], said["stage"], said["kind"], said["pipeline"]) == (
        "waiting",
        "train",
        "JOB_FAILED",
        "churn",
    )
    assert "&lt;!channel&gt; x &amp; y" in said["text"]
    assert "<" not in said["text"]
    assert said["page"].endswith("/workflows/churn%2Fk")
    shown = next(fence.text for fence in books.fences("docs/alerts.md") if fence.info == "json")
    assert set(json.loads(shown)) == set(said)


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    webhook(receiver.url, "").send(ALERT)
    assert not {"Causeway-Signature", "Causeway-Timestamp"} & set(receiver.posts[0].headers)


@pytest.mark.parametrize(
    ("status", "kind", "final"),
    [
        (500, "UNAVAILABLE", False),
        (503, "UNAVAILABLE", False),
        (429, "UNAVAILABLE", False),
        (302, "INVALID_REQUEST", True),
        (404, "INVALID_REQUEST", True),
        (403, "ACCESS_DENIED", True),
    ],
)
def test_a_refusal_is_final_unless_time_heals_it_and_no_error_tells_the_address(
    receiver: Receiver, status: int, kind: str, final: bool
) -> None:
    elsewhere = receiver.url.replace("hooks", "elsewhere")
    receiver.answers = [(status, {"Retry-After": "7", "Location": elsewhere})]
    with pytest.raises(ApplicationError) as refused:
        webhook(receiver.url).send(ALERT)
    assert (refused.value.type, refused.value.non_retryable) == (kind, final)
    assert refused.value.next_retry_delay == (None if final else timedelta(seconds=7))
    assert "127.0.0.1" not in str(refused.value)
    assert len(receiver.posts) == 1


def test_a_receiver_that_is_down_is_unavailable_and_its_address_is_not_told() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/hooks/of-nobody-else"
        with pytest.raises(ApplicationError) as refused:
            webhook(url).send(ALERT)
    assert (refused.value.type, refused.value.non_retryable) == ("UNAVAILABLE", False)
    assert not re.search(r"of-nobody-else|127\.0\.0\.1", str(refused.value))
    assert refused.value.__suppress_context__


def test_a_worker_without_a_receiver_leaves_an_alert_to_another() -> None:
    with pytest.raises(ApplicationError) as refused:
        Webhook(None, Observed()).send(ALERT)
    assert not refused.value.non_retryable


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"CAUSEWAY_ALERT_URL": "http://alerts.example.com/x"}, "must begin with https://"),
        ({"CAUSEWAY_ALERT_URL": "file:///etc/passwd"}, "must name a host"),
        ({"CAUSEWAY_ALERT_URL": "https://ann:word@alerts.example.com/"}, "no user"),
        ({"CAUSEWAY_ALERT_URL": "https://a.example/", "CAUSEWAY_ALERT_ON": "paused,never"}, "'never'"),
        ({"CAUSEWAY_ALERT_SECRET": "x"}, "CAUSEWAY_ALERT_URL is not"),
        ({"CAUSEWAY_ALERT_URL": "https://a.example/", "CAUSEWAY_ALERT_SECRET_FILE": "/nowhere"}, "read"),
    ],
)
def test_a_setting_that_is_wrong_is_named_and_not_shown(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match="CAUSEWAY_ALERT_") as refused:
        Settings.from_mapping(settings)
    assert words in str(refused.value)
    assert "word@" not in str(refused.value)


def test_the_secret_may_lie_in_a_file_and_all_events_are_wanted_unless_some_are_named(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    named = {
        "CAUSEWAY_ALERT_URL": "https://a.example/x",
        "CAUSEWAY_ALERT_SECRET_FILE": str(tmp_path / "secret"),
    }
    found = Settings.from_mapping(named)
    assert found == Settings("https://a.example/x", b"s3cret", ALERT_EVENTS)
    some: tuple[AlertEvent, ...] = ("waiting", "failed")
    found = Settings.from_mapping({**named, "CAUSEWAY_ALERT_ON": "failed, waiting"})
    assert found is not None
    assert found.wanted == some
    assert Settings.from_mapping({}) is None


@pytest.mark.parametrize("worker", WORKERS)
def test_no_worker_but_that_of_workflows_sees_who_is_told(worker: str) -> None:
    names = {"CAUSEWAY_ALERT_URL", "CAUSEWAY_ALERT_SECRET", "CAUSEWAY_LINEAGE_API_KEY"}
    seen = own_environment(worker, dict.fromkeys(names, "x"))
    assert set(seen) == (names if worker == "workflows" else set())
