"""Real workers tell a real receiver of a real run: once, signed, although it fails twice; and lineage is written down."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from activities.alerts import headers_of
from contracts.alerts import Alert
from contracts.connect import plugin
from contracts.runs import SEARCH_ATTRIBUTES
from tests.house import CHECKOUT, OF_THE_OUTSIDE, PATIENCE_SECONDS, Answer, until
from tests.openlineage import check
from tests.pipelines import write
from tests.receiver import Receiver, receiving
from tests.workflows.servers import dev_server

SECRET = "s3cret"


class Watched:
    """A server, an on-prem worker and one for workflows that knows whom to tell."""

    def __init__(
        self, folder: Path, receiver: Receiver, env: WorkflowEnvironment, runner: asyncio.Runner
    ) -> None:
        self.receiver = receiver
        self._client = env.client
        self._runner = runner
        address = env.client.service_client.config.target_host
        self.lineage = folder / "lineage.jsonl"
        self.root = folder / "onprem"
        (self.root / "data").mkdir(parents=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_OUTSIDE)}
        self.environment = kept | {"TEMPORAL_ADDRESS": address}
        self.told = {
            "CAUSEWAY_ALERT_URL": receiver.url,
            "CAUSEWAY_ALERT_SECRET": SECRET,
            "CAUSEWAY_LINEAGE_URL": self.lineage.as_uri(),
        }
        self.onprem = {
            "CAUSEWAY_ONPREM_ROOT": str(self.root),
            "CAUSEWAY_ONPREM_PATH": str(Path(sys.executable).parent),
            "CAUSEWAY_CONTAINER": "data",
        }
        self.folder = folder

    def worker(self, name: str) -> subprocess.Popen[bytes]:
        ready = self.folder / f"{name}.ready"
        settings = self.told if name == "workflows" else self.onprem
        command = [sys.executable, "-m", "workers", name, "--ready-file", str(ready)]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=CHECKOUT, env={**self.environment, **settings}, stderr=log
            )
        until(ready.exists, f"the {name} worker")
        return process

    def histories(self) -> list[bytes]:
        """Everything that Temporal holds of every workflow, as it came over the wire."""

        async def read() -> list[bytes]:
            found = []
            async for one in self._client.list_workflows():
                history = await self._client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
                found.append(b"".join(event.SerializeToString() for event in history.events))
            return found

        return self._runner.run(read())

    def starter(self, *arguments: str) -> Answer:
        command = [sys.executable, "-m", "starter", *arguments]
        done = subprocess.run(
            command,
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with asyncio.Runner() as runner, receiving() as receiver, ExitStack() as stack:
        starting = WorkflowEnvironment.start_local(
            dev_server_existing_path=str(dev_server()),
            search_attributes=SEARCH_ATTRIBUTES,
            plugins=[plugin()],
        )
        env = runner.run(starting)
        stack.callback(lambda: runner.run(env.shutdown()))
        held = Watched(tmp_path, receiver, env, runner)
        for name in ("workflows", "onprem"):
            process = held.worker(name)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
        yield held


def test_a_failed_run_is_told_once_though_the_receiver_fails_twice_and_its_lineage_is_valid(
    watched: Watched, tmp_path: Path
) -> None:
    watched.receiver.answers = [(503, {}), (500, {})]
    stage = {"kind": "process", "on": "onprem", "outputs": [], "retries": 0, "on_failure": "fail"}
    spec = {
        "pipeline": "told",
        "stages": {"bad": {**stage, "command": "python -c 'import sys; sys.exit(\"no such column\")'"}},
    }
    answer = watched.starter("run", str(write(tmp_path, spec)), "--key", "one", "--json")
    assert answer.code == 1, answer.err
    (taken,) = until(lambda: watched.receiver.taken, "the alert")
    assert [post.status for post in watched.receiver.posts] == [503, 500, 200]
    assert len({post.headers["Causeway-Id"] for post in watched.receiver.posts}) == 1
    said = json.loads(taken.body)
    assert (said["event"], said["pipeline"], said["key"], said["kind"]) == (
        "failed",
        "told",
        "one",
        "JOB_FAILED",
    )
    assert "stage bad" in said["text"]
    signed_at = int(taken.headers["Causeway-Timestamp"])
    about = Alert.model_construct(id=said["id"])
    assert (
        taken.headers["Causeway-Signature"]
        == headers_of(about, taken.body, SECRET.encode(), signed_at)["Causeway-Signature"]
    )
    lines = until(lambda: len(watched.lineage.read_text().splitlines()) == 4 and watched.lineage, "lineage")
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    for event in events:
        check(event)
    ends = sorted((event["job"]["name"], event["eventType"]) for event in events)
    assert ends == [("told", "FAIL"), ("told", "START"), ("told.bad", "FAIL"), ("told.bad", "START")]
    assert any(b"no such column" in history for history in watched.histories())
    # No history, no log and no answer holds the address or the secret.
    logs = "".join((tmp_path / f"{name}.log").read_text() for name in ("workflows", "onprem"))
    for text in (logs.encode(), answer.out.encode(), answer.err.encode(), *watched.histories()):
        assert SECRET.encode() not in text
        assert b"of-nobody-else" not in text
