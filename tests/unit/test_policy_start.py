"""A worker does not start over a policy that has a mistake: one line, and exit 2, in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_docs import example_of
from tests.house import CHECKOUT
from workers.catalogue import WORKERS


def started(worker: str, folder: Path, policy: Path) -> subprocess.CompletedProcess[str]:
    given, _ = example_of(worker)
    if worker == "onprem":
        given["CAUSEWAY_ONPREM_ROOT"] = str(folder)
    told = {**given, "TEMPORAL_ADDRESS": "127.0.0.1:9", "CAUSEWAY_POLICY": str(policy)}
    return subprocess.run(
        [sys.executable, "-m", "workers", worker],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **told},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("worker", WORKERS)
def test_a_worker_refuses_to_start_on_a_policy_with_a_mistake(worker: str, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("classes:\n  pii:\n    clouds: [azur]\n")
    ended = started(worker, tmp_path, policy)
    assert ended.returncode == 2
    said = ended.stderr.splitlines()
    assert len(said) == 1
    assert said[0].startswith(f"the {worker} worker does not start: CAUSEWAY_POLICY is wrong: {policy}:3: ")
    assert "classes.pii.clouds: 'azur' is not a connection" in said[0]


def test_a_worker_refuses_to_start_where_the_policy_says_that_it_is_elsewhere(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("places: {aws: us-east-1}\n")
    ended = started("aws", tmp_path, policy)
    assert ended.returncode == 2
    assert "places says that aws/default lies in us-east-1, its settings say" in ended.stderr
