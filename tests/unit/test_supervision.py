from pathlib import Path

from workers.supervisor import LONGEST_PAUSE, Child


def test_a_worker_that_dies_at_once_is_started_later_each_time() -> None:
    child = Child(name="aws", connection="", environment={}, ready_file=Path("unused"))
    pauses = []
    now = 100.0
    for _ in range(9):
        child.started_at = now
        child.died(now + 1)
        pauses.append(child.start_at - now - 1)
        now = child.start_at
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.5, LONGEST_PAUSE)


def test_a_worker_that_served_for_a_while_is_started_again_at_once_however_often_it_died() -> None:
    child = Child(
        name="aws", connection="", environment={}, ready_file=Path("unused"), deaths=9, started_at=100.0
    )
    child.died(100.0 + LONGEST_PAUSE + 1)
    assert child.start_at - (100.0 + LONGEST_PAUSE + 1) == 0.5
