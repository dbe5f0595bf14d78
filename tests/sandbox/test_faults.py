from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.servers.faults import Fault, Faults


def test_a_fault_is_shown_as_often_as_asked_to_the_operations_it_matches(tmp_path: Path) -> None:
    ours, theirs = Faults(tmp_path / "f.json"), Faults(tmp_path / "f.json")
    theirs.add(Fault("drop", times=2, match="Create"))
    assert ours.next_for("ListJobs") is None
    assert [bool(ours.next_for("CreateJob")) for _ in range(3)] == [True, True, False]
    assert theirs.active() == []


def test_a_fault_ends_at_its_time_or_when_cleared(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "f.json")
    faults.add(Fault("slow", until=time.time() - 1))
    assert faults.next_for("x") is None
    faults.add(Fault("slow"))
    assert faults.next_for("x")
    assert faults.next_for("x")
    faults.clear()
    assert faults.next_for("x") is None


def test_a_job_fault_is_taken_by_one_caller_only(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    Faults(path).add(Fault("hang-job"))
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: Faults(path).take_job_fault("job"), range(8)))
    assert sorted(filter(None, taken)) == ["hang"]


def test_a_job_fault_may_name_its_job(tmp_path: Path) -> None:
    faults = Faults(tmp_path / "f.json")
    faults.add(Fault("fail-job", match="train"))
    assert faults.take_job_fault("score-1") is None
    assert faults.take_job_fault("train-1") == "fail"
