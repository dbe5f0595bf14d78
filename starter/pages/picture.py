"""A drawing as SVG, or as PNG where there is a font to write with."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from starter.exits import StarterError
from starter.pages.flow import Flow
from starter.pages.lanes import NODE_HEIGHT, NODE_WIDTH, draw
from starter.pages.palette import MARKS, NAMED, PALETTE, TONES

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
SCALE = 2
"""Of a PNG, so that it stays sharp on the screens of today."""


def svg(flow: Flow, *, within_page: bool = False) -> str:
    """Return the drawing: a file of its own with colours of paper, or a part of a page that gives it its colours."""
    return TEMPLATES.get_template("graph.svg").render(
        d=draw(flow),
        c=NAMED if within_page else PALETTE,
        backed=not within_page,
        tones=TONES,
        marks=MARKS,
        w=NODE_WIDTH,
        h=NODE_HEIGHT,
    )


def png(flow: Flow) -> bytes:
    """Return the drawing in pixels.

    Raises:
        StarterError: what draws it is not installed, or this machine has no font: text would be left out without a word.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        raise StarterError(
            'a PNG needs one package more: pip install "causeway[pictures]"; SVG needs none'
        ) from None
    if svg_to_bytes(svg_string=_WRITTEN) == svg_to_bytes(svg_string=_BLANK):
        raise StarterError(
            "this machine has no font to write a PNG with; install one, such as Debian's fonts-dejavu-core, "
            "or write an SVG, which needs none"
        )
    return bytes(svg_to_bytes(svg_string=svg(flow), zoom=SCALE))


_BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"></svg>'
_WRITTEN = _BLANK.replace("></", '><text x="2" y="15" font-family="sans-serif">ab</text></')
