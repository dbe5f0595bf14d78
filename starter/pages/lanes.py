"""Where the nodes and edges of a drawing lie: a lane per cloud, columns from left to right, no line across a node."""

from collections import defaultdict
from dataclasses import dataclass

from starter.pages.flow import Edge, Flow, Node

NODE_WIDTH, NODE_HEIGHT = 148, 44
GAP = 128
"""Between columns: lines change their height in its left half, and their labels stand over the straight rest."""
BEND = 48
ROW = NODE_HEIGHT + 14
HEAD = 30
"""Of a lane above its nodes: its name, and lines that pass nodes by."""
FOOT = 8
MARGIN = 12
TITLE = 80
"""Width of a lane's name."""

Point = tuple[int, int]


@dataclass(frozen=True)
class Box:
    """A node at its place; pixels, from the upper left corner."""

    node: Node
    x: int
    y: int

    @property
    def out(self) -> Point:
        """Where lines leave it."""
        return self.x + NODE_WIDTH, self.y + NODE_HEIGHT // 2


@dataclass(frozen=True)
class Lane:
    """What runs on one connection."""

    name: str
    y: int
    height: int


@dataclass(frozen=True)
class Line:
    """An edge as an SVG path, and where its label stands."""

    edge: Edge
    path: str
    label_x: int
    label_y: int


@dataclass(frozen=True)
class Drawing:
    """A flow at its place."""

    flow: Flow
    width: int
    height: int
    lanes: tuple[Lane, ...]
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def draw(flow: Flow) -> Drawing:
    """Return the places of everything; the same flow is drawn the same way."""
    columns = _columns(flow)
    rows = _rows(flow, columns)
    lanes = _lanes(flow, columns, rows)
    tops = {lane.name: lane.y for lane in lanes}
    boxes = {
        node.id: Box(node, _left(columns[node.id]), tops[node.lane] + HEAD + rows[node.id] * ROW)
        for node in flow.nodes
    }
    width = _left(max(columns.values()) + 1) - GAP + MARGIN
    height = lanes[-1].y + lanes[-1].height + MARGIN
    ports = _ports(flow, boxes)
    lines = tuple(_line(edge, boxes, ports[edge], tops) for edge in flow.edges)
    return Drawing(flow, width, height, lanes, tuple(boxes.values()), lines)


def _columns(flow: Flow) -> dict[str, int]:
    """Each node as far left as its needs let it; data stand just before the copy that reads them."""
    found: dict[str, int] = {}
    for node in flow.nodes:
        before = [found[edge.source] for edge in flow.edges if edge.target == node.id]
        found[node.id] = max(before, default=-1) + 1
    return found


def _rows(flow: Flow, columns: dict[str, int]) -> dict[str, int]:
    filled: dict[tuple[str, int], int] = defaultdict(int)
    found: dict[str, int] = {}
    for node in flow.nodes:
        cell = node.lane, columns[node.id]
        found[node.id] = filled[cell]
        filled[cell] += 1
    return found


def _lanes(flow: Flow, columns: dict[str, int], rows: dict[str, int]) -> tuple[Lane, ...]:
    found, y = [], MARGIN
    for name in flow.lanes:
        most = 1 + max(rows[node.id] for node in flow.nodes if node.lane == name)
        height = HEAD + most * ROW + FOOT
        found.append(Lane(name, y, height))
        y += height
    return tuple(found)


def _left(column: int) -> int:
    return MARGIN + TITLE + column * (NODE_WIDTH + GAP)


def _ports(flow: Flow, boxes: dict[str, Box]) -> dict[Edge, Point]:
    """Where each line arrives: those of one node apart from each other, the higher ones above."""
    arriving: dict[str, list[Edge]] = defaultdict(list)
    for edge in flow.edges:
        arriving[edge.target].append(edge)
    found: dict[Edge, Point] = {}
    for target, edges in arriving.items():
        box = boxes[target]
        step = NODE_HEIGHT / (len(edges) + 1)
        edges.sort(key=lambda edge: (boxes[edge.source].y, boxes[edge.source].x))
        found |= {
            edge: (box.x, box.y + round(step * position)) for position, edge in enumerate(edges, start=1)
        }
    return found


def _line(edge: Edge, boxes: dict[str, Box], end: Point, tops: dict[str, int]) -> Line:
    source, target = boxes[edge.source], boxes[edge.target]
    start, entry = source.out, (end[0] - GAP + BEND, end[1])
    if end[0] - start[0] == GAP:
        path = f"M {_said(start)} {_curve(start, entry)}"
    else:
        # Along the head of the target's lane, where no node is, into the gap before the target.
        high = tops[target.node.lane] + HEAD - 10
        first, last = (start[0] + BEND, high), (end[0] - GAP, high)
        path = f"M {_said(start)} {_curve(start, first)} L {_said(last)} {_curve(last, entry)}"
    return Line(edge, f"{path} L {_said(end)}", end[0] - 12, end[1] - 4)


def _curve(start: Point, end: Point) -> str:
    middle = (start[0] + end[0]) // 2
    return f"C {_said((middle, start[1]))}, {_said((middle, end[1]))}, {_said(end)}"


def _said(point: Point) -> str:
    return f"{point[0]} {point[1]}"
