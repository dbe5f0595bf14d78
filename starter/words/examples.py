"""Examples of every word, which its `--help` shows."""

PROGRAM = "python -m starter"
WIDTH = 78
"""Of a line of help; Typer moves it two columns in."""
EXAMPLES: dict[str, tuple[str, ...]] = {
    "init": ("init sales",),
    "run": ("run churn.yaml --param seed=8", "run churn.yaml --key monday --detach"),
    "rerun": (
        "rerun churn/monday --from score --param threshold=0.7",
        "rerun churn/monday --pipeline churn.yaml",
    ),
    "copy": (
        'copy s3://bucket/data/ az://container/data/ --include "*.csv"',
        "copy file:///big.bin gs://bucket/ --limit-rate 50MB/s --detach",
    ),
    "limit": ("limit copy/monday --limit-rate 10MB/s --streams 4",),
    "validate": (
        "validate churn.yaml",
        "validate churn.yaml --param seed=8 --json",
        "validate churn.yaml --policy policy.yaml",
    ),
    "plan": ("plan churn.yaml", "plan churn.yaml --param seed=8 --json"),
    "check": ("check aws", "check churn.yaml --json"),
    "schema": ("schema > pipeline.schema.json",),
    "permissions": ("permissions churn.yaml --cloud aws --connections connections.yaml",),
    "status": ("status churn/monday", "status churn/monday --json"),
    "watch": ("watch churn/monday",),
    "list": ("list --state FAILED --since 2d", "list --pipeline churn --cloud azure --waiting"),
    "pause": (
        'pause churn/monday --until 18:00 --reason "price peak"',
        "pause churn/monday --jobs stop",
    ),
    "resume": ("resume churn/monday",),
    "cancel": ("cancel churn/monday",),
    "retry": (
        "retry churn/monday train --timeout 4h --param seed=8",
        """retry churn/monday train --resources '{"memory": "64GiB"}'""",
    ),
    "skip": ("skip churn/monday fetch --output data=s3://bucket/last-week.csv",),
    "abort": ('abort churn/monday train --reason "wrong data"',),
    "approve": ('approve churn/monday release --answer yes --comment "looks well"',),
    "report": ("report churn/monday --html report.html", "report churn/monday --format md"),
    "graph": ("graph churn.yaml -o plan.svg", "graph --run churn/monday"),
    "logs": ("logs churn/monday train --follow", "logs churn/monday train --tail 20"),
    "costs": ("costs --month 2026-11 --by pipeline,cloud", "costs --run churn/monday --csv"),
    "sweep": ("sweep --older-than 6h", "sweep --run churn/monday --stop"),
    "completion": (
        "completion bash > ~/.causeway.bash",
        "completion fish | source",
    ),
    "schedule create": ('schedule create churn.yaml --cron "0 6 * * *" --tz Europe/Berlin',),
    "schedule list": ("schedule list", "schedule list --json"),
    "schedule pause": ('schedule pause churn/scheduled --reason "price peak"',),
    "schedule resume": ("schedule resume churn/scheduled",),
    "schedule trigger": ("schedule trigger churn/scheduled",),
    "schedule delete": ("schedule delete churn/scheduled",),
    "schedule backfill": ("schedule backfill churn/scheduled --from 2026-11-01 --to 2026-11-03",),
}
"""By word, without the program before it; `churn/monday` is a run, and `churn.yaml` its pipeline."""


def epilog_of(word: str) -> str:
    """The examples of a word as its help ends with them, each as it can be pasted, in 80 columns."""
    lines = "\n".join(_folded(f"  {PROGRAM} {example}") for example in EXAMPLES.get(word, ()))
    # A word without examples still works; the tests tell.
    # Typer folds lines together unless the paragraph begins with this mark.
    return f"\b\nExamples:\n{lines}"


def _folded(line: str) -> str:
    if len(line) <= WIDTH:
        return line
    first, dash, last = line.rpartition(" --")
    return f"{first} \\\n      {dash.strip()}{last}"
