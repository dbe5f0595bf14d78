"""What `graph` and `report` make of a pipeline or a run: a drawing, a page, a text."""

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from starter import copy_commands, temporal
from starter.copies import is_copy
from starter.document import flow_document, run_document
from starter.exits import Exit, StarterError
from starter.options import params_of
from starter.pages.flow import Flow, flow_of
from starter.pages.mermaid import mermaid
from starter.pages.picture import png, svg
from starter.pages.report import html, markdown
from starter.show import console, print_report
from starter.spec.load import find, load

SUFFIXES = (".svg", ".png", ".mmd")


@dataclass(frozen=True)
class ReportOptions:
    """How `report` was called."""

    run_id: str
    form: str
    """`text`, `md` or `json`."""
    html: str | None
    """A file to write the page to."""


def graph(what: str | None, param: tuple[str, ...], out: str | None, *, as_json: bool = False) -> Exit:
    """Draw a pipeline as it is written.

    Raises:
        StarterError: it has mistakes, or the file cannot be written.
    """
    _deliver(flow_of(load(find(what), params_of(param)).spec), out, as_json=as_json)
    return Exit.SUCCEEDED


async def graph_of_run(run_id: str, out: str | None, *, as_json: bool = False) -> Exit:
    """Draw a run as it stands.

    Raises:
        StarterError: there is no such run, or the file cannot be written.
    """
    refuse_copy(run_id)
    client = await temporal.connected()
    status = await temporal.status(client, run_id)
    _deliver(flow_of((await temporal.request_of(client, run_id)).spec, status), out, as_json=as_json)
    return Exit.SUCCEEDED


async def report(options: ReportOptions) -> Exit:
    """Show what a run came to, or has come to so far.

    Raises:
        StarterError: there is no such run, or the file cannot be written.
    """
    client = await temporal.connected()
    if is_copy(options.run_id):
        if options.html or options.form == "md":
            refuse_copy(options.run_id)
        return await copy_commands.show(client, options.run_id, as_json=options.form == "json")
    now, page = await temporal.status(client, options.run_id), temporal.web_ui(options.run_id)
    if options.html:
        request = await temporal.request_of(client, options.run_id)
        write(options.html, html(request, now, page).encode())
    if options.form == "json":
        sys.stdout.write(json.dumps(run_document(now, page), indent=2) + "\n")
    elif options.form == "md":
        sys.stdout.write(markdown(now, page))
    elif not options.html:
        print_report(console(), now, page)
    return Exit.SUCCEEDED


def write(name: str, content: bytes) -> None:
    """Write a file whole or not at all, and say so on standard error.

    Raises:
        StarterError: it cannot be written.
    """
    file = Path(name)
    if file.is_dir():
        raise StarterError(f"{name} is a folder; name a file in it")
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as part:
            part.write(content)
        # Such files are private; what replaces them is as readable as any new file.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(part.name, 0o666 & ~mask)
        os.replace(part.name, file)
    except OSError as error:
        raise StarterError(f"{name} cannot be written: {error.strerror}") from None
    console(stderr=True).print(f"wrote {name}", soft_wrap=True)


def _deliver(flow: Flow, out: str | None, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(flow_document(flow), indent=2) + "\n")
    if out is None:
        sys.stdout.write("" if as_json else mermaid(flow))
        return
    suffix = Path(out).suffix.lower()
    if suffix not in SUFFIXES:
        raise StarterError(f"{out!r}: write a file that ends in {', '.join(SUFFIXES)}")
    drawn = png(flow) if suffix == ".png" else (svg(flow) if suffix == ".svg" else mermaid(flow)).encode()
    write(out, drawn)


def refuse_copy(run_id: str) -> None:
    """Pass unless the name is that of a copy.

    Raises:
        StarterError: it is.
    """
    if is_copy(run_id):
        raise StarterError(f"{run_id} is a copy, which has no stages; see: python -m starter report {run_id}")
