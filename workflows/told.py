"""What a run tells of a job, a few words beside the stage, and of money: amounts, and how it stands to its budget."""

from decimal import Decimal

from contracts.jobs import JobPhase, JobState
from contracts.spending import Spending
from contracts.stage_records import StageJob
from contracts.units import format_size

CENT = Decimal("0.01")


def stage_job(state: JobState) -> StageJob:
    """Return the record of a job, with the time it waited and the time it ran apart."""
    return StageJob(
        id=state.ref.id,
        generation=state.ref.generation,
        name=state.ref.name,
        kind=state.ref.kind,
        phase=state.phase,
        console=state.ref.console,
        last_seen=state.last_seen,
        seconds=state.billed_seconds
        if state.billed_seconds is not None
        else (state.run_seconds if state.ended_at else None),
        queued_seconds=state.queued_seconds,
        run_seconds=state.run_seconds,
        billed_seconds=state.billed_seconds,
    )


def words_of(state: JobState) -> str:
    """Return the note beside a stage; of a job that is not told of, when it last was and why it is not."""
    if state.phase is JobPhase.UNKNOWN:
        seen = f"last seen {state.last_seen:%H:%M:%S %Z}" if state.last_seen else "never seen yet"
        return f"job state unknown, {seen}: {state.message[:200]}"
    return f"job {state.phase.lower()}"


def spent(job: StageJob | None) -> str:
    """Return how long a job waited and ran, in a few words; empty when neither is known."""
    if job is None:
        return ""
    told = {"queued": job.queued_seconds, "ran": job.run_seconds}
    return ", ".join(f"{word} {seconds:.1f} s" for word, seconds in told.items() if seconds is not None)


def money(value: Decimal, currency: str) -> str:
    """Write an amount for people: two decimals, or as many as it takes to see something."""
    if value and abs(value) < CENT:
        return f"{value.normalize():f} {currency}"
    return f"{value.quantize(CENT):f} {currency}"


def standing(spending: Spending) -> str:
    """Return how a run stands to its budget, and what it has sent out of clouds, in one line."""
    sent = f"{format_size(spending.sent_bytes)} left clouds" if spending.sent_bytes else ""
    budget = spending.budget
    if budget is None:
        return sent or "nothing has left a cloud"
    said = [f"{money(spending.spent, budget.currency)} spent"]
    said += [f"at most {money(spending.held_cost, budget.currency)} under way"] if spending.held else []
    said += [f"{money(spending.allowed, budget.currency)} allowed above it"] if spending.allowed else []
    said += [f"cost of {', '.join(spending.unknown)} not known"] if spending.unknown else []
    return f"budget {budget.text}: " + ", ".join(filter(None, (*said, sent)))
