"""`python -m workers {workflows|aws|azure|gcp|onprem|all}`: one long-running service per cloud, and one for workflows."""

import argparse
import json
import os
import sys

from workers.catalogue import WORKERS


def main() -> None:
    """Run the worker that was asked for; a wrong setting is one clear line and exit 2."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.worker == "schema":
        _print_schema(arguments.about)
        return
    for name, value in (
        ("CAUSEWAY_CONNECTIONS", arguments.connections),
        ("CAUSEWAY_CONNECTION", arguments.connection),
    ):
        if value:
            os.environ[name] = value
    if arguments.worker == "permissions":
        from workers.permissions import write

        sys.exit(write(_cloud(arguments.about) or parser.error("permissions of which cloud?")))
    if arguments.worker == "all":
        from workers.supervisor import supervise

        sys.exit(supervise(arguments.env_files, arguments.ready_file))
    from workers.run import run

    run(arguments.worker, arguments.ready_file, arguments.parent)


def _cloud(about: str | None) -> str | None:
    return None if about == "policy" else about


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    parser.add_argument(
        "worker",
        choices=[*WORKERS, "all", "schema", "permissions"],
        help="which worker to run; all runs each in a process of its own; schema prints that of connections.yaml,"
        " schema policy that of policy.yaml;"
        " permissions is what `python -m starter permissions` calls",
    )
    parser.add_argument("about", nargs="?", choices=["aws", "azure", "gcp", "policy"], help=argparse.SUPPRESS)
    parser.add_argument(
        "--connections", metavar="FILE", help="the file that says what each connection's worker is told"
    )
    parser.add_argument(
        "--connection", metavar="NAME", help="which of its cloud's connections, if not the default"
    )
    parser.add_argument(
        "--env-files", metavar="DIR", help="with all: DIR/<worker>.env holds each worker's settings"
    )
    parser.add_argument("--ready-file", metavar="FILE", help="write FILE once every worker serves its queue")
    parser.add_argument("--parent", metavar="PID", type=int, help="end when this process has ended")
    return parser


def _print_schema(about: str | None) -> None:
    if about == "policy":
        from contracts.policy import Policy

        found = Policy.model_json_schema()
    else:
        from workers.connections_schema import schema

        found = schema()
    sys.stdout.write(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
