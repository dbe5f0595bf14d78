"""The word that says what things cost."""

from typing import Annotated

import typer

from starter.words.arguments import JsonOption
from starter.words.ending import end


def costs(
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only of this run: pipeline/key.")
    ] = None,
    month: Annotated[
        str | None, typer.Option(metavar="MONTH", help="Such as 2026-11, in UTC; this month without it.")
    ] = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="Put together by: run, pipeline, stage, cloud, connection, destination, region, kind, sku, month.",
        ),
    ] = "",
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV with the column names of FOCUS 1.2.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what runs really cost, from the ledger.

    Estimates at list prices or your own, no invoice: seconds that were billed, bytes that were sent, by the tiers of the
    month. What has no price is empty, never 0.
    """
    from starter import costs as costing

    options = costing.CostsOptions(run_id, month, by, as_csv, as_json)
    end(lambda: costing.costs(options))
