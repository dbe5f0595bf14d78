"""A person's own workflow in two builds that could not replay one another."""

from pathlib import Path

_TEXT = """
from datetime import timedelta

from temporalio import workflow


@workflow.defn(name="waiter")
class Waiter:
    def __init__(self) -> None:
        self._told = False

    @workflow.signal
    def tell(self) -> None:
        self._told = True

    @workflow.run
    async def run(self) -> str:
        {before}
        await workflow.wait_condition(lambda: self._told)
        {after}
        return "{build}"
"""


def write(folder: Path, build: str) -> Path:
    """Write the module `flows` of a build into a folder of its own: the two wait for another thing at first."""
    waits = "await workflow.sleep(timedelta(milliseconds=10))"
    before, after = ("pass", waits) if build == "one" else (waits, "pass")
    home = folder / build
    home.mkdir()
    (home / "flows.py").write_text(_TEXT.format(before=before, after=after, build=build))
    return home
