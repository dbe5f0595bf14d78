"""What loads and queries take in BigQuery: the right to run jobs, and tables by their names.

Which tables a query reads and changes its text tells, as far as it names them: what a view reads, or a statement that is
built while it runs, it does not.
"""

import re

from activities.gcp import connection, sweep_tables, table_cancel, table_jobs, table_load, table_query
from activities.gcp.policy_text import Grant, among
from activities.gcp.table_load import STAGING, table_reference
from contracts.permissions import PermissionRequest

TABLES = (connection, table_jobs, table_load, table_query, table_cancel, sweep_tables)
_NAME = r"[\w`:.-]+"
_ITEM = rf"{_NAME}(?:\s+(?:AS\s+)?\w+)?"
READ = re.compile(rf"(?i)\b(?:FROM|JOIN|USING)\s+({_ITEM}(?:\s*,\s*{_ITEM})*)")
CHANGED = re.compile(
    rf"(?i)\b(?:INTO|UPDATE|MERGE|DELETE(?:\s+FROM)?|TABLE(?:\s+IF(?:\s+NOT)?\s+EXISTS)?)\s+({_NAME})"
)
_TABLE = re.compile(r"(?:[a-z0-9:.-]+\.)?\w+\.[\w-]+")
_COMMENT = re.compile(r"--[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)


def table_grants(request: PermissionRequest, project: str) -> list[Grant]:
    """Return the right to run jobs, and rights on each dataset and table that is loaded, read or changed."""
    declared = {name for module in TABLES for held in module.NEEDS.values() for name in held}
    bigquery = {name for name in declared if name.startswith("bigquery.")}
    of_jobs = {name for name in bigquery if name.startswith("bigquery.jobs.")}
    grants = [Grant("table_jobs", of_jobs, f"projects/{project}")]
    grants += [_of_load(table, bigquery - of_jobs, project) for table in request.tables]
    read = {table for text in request.statements for table in named(text, READ)}
    changed = {table for text in request.statements for table in named(text, CHANGED)}
    to_read, to_change = table_query.NEEDS_TO_READ["query"], table_query.NEEDS_TO_CHANGE["query"]
    grants += [_of_query("read_tables", table, to_read, project) for table in sorted(read)]
    return [
        *grants,
        *(_of_query("change_tables", table, (*to_read, *to_change), project) for table in sorted(changed)),
    ]


def named(text: str, where: re.Pattern[str]) -> set[str]:
    """Return the tables that a statement names in such a place; a name without a dataset is none."""
    listed = [found[1].split(",") for found in where.finditer(_COMMENT.sub(" ", text))]
    names = {item.split()[0].replace("`", "") for items in listed for item in items}
    return {name for name in names if _TABLE.fullmatch(name)}


def _of_load(table: str, permissions: set[str], project: str) -> Grant:
    held = table_reference(table, project)
    dataset = f"projects/{held.project}/datasets/{held.dataset_id}"
    names = [
        ("==", dataset),
        ("==", f"{dataset}/tables/{held.table_id}"),
        ("startsWith", f"{dataset}/tables/{STAGING}"),
    ]
    return Grant("tables", permissions, f"projects/{held.project}", among(names))


def _of_query(role: str, table: str, permissions: tuple[str, ...], project: str) -> Grant:
    held = table_reference(table, project)
    dataset = f"projects/{held.project}/datasets/{held.dataset_id}"
    names = [("==", f"{dataset}/tables/{held.table_id}")]
    # A table that is made is a right on what it is made in.
    names += [("==", dataset)] if role == "change_tables" else []
    return Grant(role, permissions, f"projects/{held.project}", among(names))
