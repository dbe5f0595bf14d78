"""What a run tells of a job: its record in the status, and a few words beside the stage."""

from contracts.jobs import JobPhase, JobState
from contracts.runs import StageJob


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
