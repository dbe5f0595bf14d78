"""What a person waits for at the command line: help, the list of runs, and the local clouds."""

from bench.ground import Ground
from bench.numbers import Numbers

PYTHON = "python that does nothing"
HELP = "starter --help"
LIST = "starter list"


def measure(ground: Ground, numbers: Numbers, rounds: int) -> None:
    """Run each command once a round; the first round is not kept."""
    for number in range(-1, rounds):
        kept = numbers if number >= 0 else Numbers()
        kept.add(PYTHON, ground.timed("-c", "pass"), "s")
        kept.add(HELP, ground.timed("-m", "starter", "--help"), "s")
        kept.add(LIST, ground.timed("-m", "starter", "list"), "s")
    numbers.ratio(f"{HELP} / {PYTHON}", HELP, PYTHON)
    numbers.ratio(f"{LIST} / {PYTHON}", LIST, PYTHON)


def measure_up(ground: Ground, numbers: Numbers, rounds: int) -> None:
    """Take everything down and bring it up again on its old state, with the tools already built."""
    for _ in range(rounds):
        ground.down()
        numbers.add("sandbox up --workers, on its old state", ground.up(), "s")
    for _ in range(rounds):
        numbers.add("sandbox up --workers, with all up already", ground.up(), "s")
