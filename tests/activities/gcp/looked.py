"""A connection of Google Cloud, looked at by its worker's own check."""

from typing import Any

from google.auth.credentials import Credentials
from temporalio.testing import ActivityEnvironment

from activities.gcp import room
from activities.gcp.check import GcpCheck
from activities.gcp.identity import credentials
from activities.gcp.settings import GcpSettings
from contracts.checks import CheckLine, CheckReport, CheckRequest
from contracts.connections import PreflightRequest


def checked(
    settings: GcpSettings,
    needs: PreflightRequest | None = None,
    identity: Credentials | None = None,
    **how: Any,
) -> CheckReport:
    identity = identity or credentials()
    clients = (
        room.storage_client(settings, identity),
        room.tables_client(settings, identity),
        room.vertex_client(settings, identity),
    )
    address = settings.vertex_endpoint or ""
    project = room.project_looks(settings, identity)
    check = GcpCheck(settings, room.store(settings), clients, identity, True, address, project, **how)
    report: CheckReport = ActivityEnvironment().run(
        check.check, CheckRequest(connection="gcp/default", needs=needs)
    )
    return report


def lines(report: CheckReport, check: str) -> list[CheckLine]:
    return [line for line in report.lines if line.check == check]
