"""A run as one page that needs nothing else: it can be mailed, printed and kept. The same as Markdown."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from jinja2 import Environment
from rich.filesize import decimal

from contracts.errors import page_for
from contracts.runs import RunRequest, RunStatus
from starter.amounts import amount, at_most
from starter.document import seconds_of, speed_of
from starter.pages.flow import flow_of, short
from starter.pages.palette import DARK, MARKS, PALETTE, TONES
from starter.pages.picture import TEMPLATES, svg
from starter.pages.timeline import spoken, timeline_of
from starter.show import origin
from starter.spending import compared, sums


def html(request: RunRequest, status: RunStatus, web_ui: str, now: datetime | None = None) -> str:
    """Return the report as HTML: no script, no network, light and dark."""
    drawing = svg(flow_of(request.spec, status), within_page=True)
    return _rendered("report.html", status, web_ui, now, drawing=drawing, light=PALETTE, dark=DARK)


def markdown(status: RunStatus, web_ui: str, now: datetime | None = None) -> str:
    """Return the report as Markdown of GitHub's kind; text that is not ours is quoted."""
    return _rendered("report.md", status, web_ui, now) + "\n"


def _rendered(template: str, status: RunStatus, web_ui: str, now: datetime | None, **more: object) -> str:
    moment = now or datetime.now(UTC)
    environment: Environment = TEMPLATES.overlay(autoescape=template.endswith("html"))
    environment.filters |= {
        "short": short,
        "size": decimal,
        "seconds": _seconds,
        "cell": _cell,
        "docs": page_for,
        "fenced": _fenced,
        "number": "{:.6g}".format,
        "money": _money,
        "amount": amount,
        "bound": at_most,
    }
    return environment.get_template(template).render(
        run=status,
        web_ui=web_ui,
        made=moment,
        timeline=timeline_of(status, moment),
        taken=spoken((status.ended_at or moment) - status.started_at),
        costs=_costs(status),
        unpriced=sum(item.cost is None and item.source != item.destination for item in status.transfers),
        moved=sum(item.size_bytes for item in status.transfers),
        spending=(*compared(status), *sums(status)),
        speed=speed_of,
        ran=seconds_of,
        origin=origin(status),
        tones=TONES,
        marks=MARKS,
        **more,
    )


def _costs(status: RunStatus) -> dict[str, Decimal]:
    """What transfers cost by currency, as far as prices are known."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for item in status.transfers:
        if item.cost is not None:
            found[item.currency] += item.cost
    return dict(found)


def _seconds(value: float | None) -> str:
    return "" if value is None else spoken(timedelta(seconds=value))


def _money(cost: Decimal) -> str:
    """Two digits, or as little as there is to tell: hardly anything is not nothing."""
    return "under 0.01" if 0 < cost < Decimal("0.005") else f"{cost:.2f}"


def _cell(text: object) -> str:
    """Text of others within a table of Markdown: on one line, and without a mark that would end the cell or begin HTML."""
    words = " ".join(str(text).split())
    for sign in "\\`*[]<>|":
        words = words.replace(sign, f"\\{sign}")
    return words


def _fenced(text: str) -> str:
    """Text of others as a block that nothing in it can end."""
    return "```text\n" + text.replace("```", "'''") + "\n```"
