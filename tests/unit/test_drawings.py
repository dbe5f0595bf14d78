"""Drawings: nothing crosses a node, names stay text, everything can be read."""

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.results import Candidate, Choice
from contracts.runs import (
    RunPhase,
    StagePhase,
)
from starter.exits import StarterError
from starter.pages.flow import NOWHERE, SOURCE, Edge, Flow, Node, flow_of
from starter.pages.lanes import NODE_HEIGHT, NODE_WIDTH, Line, draw
from starter.pages.mermaid import mermaid
from starter.pages.palette import DARK, MARKS, PALETTE, TONES
from starter.pages.picture import png, svg
from tests.unit.pages import HOSTILE, QUICK, moved, status_of


def edge(flow: Flow, source: str, target: str) -> Edge:
    (found,) = (edge for edge in flow.edges if (edge.source, edge.target) == (source, target))
    return found


def test_what_changes_its_cloud_crosses_and_what_stays_does_not() -> None:
    flow = flow_of(QUICK)
    assert not edge(flow, "ingest", "train").crossing
    assert edge(flow, "ingest", "other").crossing
    assert edge(flow, "ingest", "other").artifacts == ("data",)
    # Whichever is picked, it may have to be brought.
    assert edge(flow, "best", "score").crossing
    assert edge(flow, "train", "best") == Edge("train", "best")
    assert edge(flow, "score", "after") == Edge("score", "after")
    assert edge(flow, "source of ingest", "ingest").crossing


@pytest.mark.parametrize(("where", "crosses"), [("azure/default", False), ("aws/default", True)])
def test_what_a_pick_has_picked_crosses_only_if_it_lay_elsewhere(where: str, crosses: bool) -> None:
    status = status_of(QUICK)
    choice = Choice(by="max(metrics.auc)", stage="train", candidates=(Candidate(stage="train", picked=True),))
    best = status.stages["best"].model_copy(update={"choice": choice, "connection": where})
    status = status.model_copy(update={"stages": {**status.stages, "best": best}})
    assert edge(flow_of(QUICK, status), "best", "score").crossing is crosses


def test_data_that_were_there_before_are_drawn_where_they_lie() -> None:
    flow = flow_of(QUICK)
    (source,) = (node for node in flow.nodes if node.kind == SOURCE)
    assert (source.label, source.lane) == ("data.csv", "onprem")
    assert flow.lanes == ("onprem", "aws", "gcp", "azure", NOWHERE)


def test_a_run_tells_on_its_arrows_what_was_really_moved() -> None:
    transfers = (
        moved("ingest.data", "onprem/default", "aws/default"),
        moved("ingest.data", "aws/default", "gcp/default"),
        moved("best.model", "gcp/default", "azure/default"),
    )
    flow = flow_of(QUICK, status_of(QUICK, transfers=transfers))
    assert edge(flow, "source of ingest", "ingest").told == "data 2.5 MB"
    assert edge(flow, "best", "score").told == "model 2.5 MB"
    # The same content lay there already: nothing was sent, and nothing is claimed.
    assert edge(flow, "ingest", "score").told == "data"
    assert {node.state for node in flow.nodes if node.kind != SOURCE} == {"SUCCEEDED"}


names = st.integers(0, 30).map(lambda number: f"s{number}")


@st.composite
def flows(draw_from: st.DrawFn) -> Flow:
    count = draw_from(st.integers(1, 24))
    places = st.sampled_from(["aws/default", "azure/default", "gcp/eu", "onprem/default", ""])
    nodes = [Node(f"s{number}", f"s{number}", "train", draw_from(places)) for number in range(count)]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1))
    found = {pair for pair in draw_from(st.lists(pairs, max_size=40)) if pair[0] < pair[1]}
    edges = [Edge(f"s{a}", f"s{b}", ("x",), crossing=draw_from(st.booleans())) for a, b in sorted(found)]
    return Flow("play", tuple(nodes), tuple(edges))


def points_of(path: str) -> list[tuple[float, float]]:
    """Points along a path of lines and cubic curves, close together."""
    found: list[tuple[float, float]] = []
    for letter, numbers in re.findall(r"([MLC])([^MLC]+)", path):
        values = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", numbers)]
        places = list(zip(values[::2], values[1::2], strict=True))
        begin = found[-1] if found else places[0]
        if letter == "C":
            a, b, end = places
            for step in range(1, 31):
                t = step / 30
                weights = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
                four = (begin, a, b, end)
                found.append(
                    (
                        sum(w * p[0] for w, p in zip(weights, four, strict=True)),
                        sum(w * p[1] for w, p in zip(weights, four, strict=True)),
                    )
                )
            continue
        end = places[0]
        found += [
            (begin[0] + (end[0] - begin[0]) * step / 30, begin[1] + (end[1] - begin[1]) * step / 30)
            for step in range(31)
        ]
    return found


@given(flows())
def test_no_line_of_a_drawing_crosses_a_node_and_no_node_another(flow: Flow) -> None:
    drawing = draw(flow)
    for line in drawing.lines:
        for x, y in points_of(line.path):
            inside = [
                box
                for box in drawing.boxes
                if box.x < x < box.x + NODE_WIDTH and box.y < y < box.y + NODE_HEIGHT
            ]
            assert not inside, (line.edge, inside)
            assert 0 <= x <= drawing.width
            assert 0 <= y <= drawing.height
    places = {(box.x, box.y) for box in drawing.boxes}
    assert len(places) == len(flow.nodes)
    for lane, below in pairwise(drawing.lanes):
        assert lane.y + lane.height <= below.y


@given(flows())
def test_every_line_ends_at_its_node_and_no_two_at_one_point(flow: Flow) -> None:
    drawing = draw(flow)
    boxes = {box.node.id: box for box in drawing.boxes}

    def end(line: Line) -> tuple[float, float]:
        return points_of(line.path)[-1]

    for line in drawing.lines:
        box = boxes[line.edge.target]
        assert end(line)[0] == box.x
        assert box.y <= end(line)[1] <= box.y + NODE_HEIGHT
        assert points_of(line.path)[0][0] == boxes[line.edge.source].x + NODE_WIDTH
    few = [line for line in drawing.lines if _arriving(flow, line.edge.target) <= 20]
    assert len({end(line) for line in few}) == len(few)


def _arriving(flow: Flow, target: str) -> int:
    return sum(edge.target == target for edge in flow.edges)


def test_a_drawing_is_sound_xml_whatever_things_are_called() -> None:
    node = Node("a", HOSTILE, "train", "aws/default", "FAILED")
    drawn = svg(Flow(HOSTILE, (node,), ()))
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert not [found for found in root.iter() if found.tag.endswith("script")]
    assert "✗ failed" in "".join(root.itertext())


def test_mermaid_takes_names_as_text() -> None:
    text = mermaid(Flow("t", (Node("a", HOSTILE, SOURCE, "aws/default"),), ()))
    (line,) = (line for line in text.splitlines() if "n0" in line)
    inner = line.strip().removeprefix('n0[("').removesuffix('")]')
    assert not set(inner) & set('"<>`')


def test_mermaid_sets_transfers_apart() -> None:
    text = mermaid(flow_of(QUICK))
    assert 'subgraph lane1["aws"]' in text
    assert text.count("==>") == sum(edge.crossing for edge in flow_of(QUICK).edges)
    assert "-.->" in text


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("colours", [PALETTE, DARK], ids=["light", "dark"])
@pytest.mark.parametrize("ink", ["ink", "soft", "move", "done", "wait", "fail", "live", "calm"])
@pytest.mark.parametrize("paper", ["paper", "lane", "node"])
def test_text_can_be_read_on_what_it_stands_on(colours: dict[str, str], ink: str, paper: str) -> None:
    darker, lighter = sorted((luminance(colours[ink]), luminance(colours[paper])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_every_state_has_a_mark_and_a_colour() -> None:
    states = {phase.value for phase in (*RunPhase, *StagePhase)}
    assert states <= set(MARKS)
    assert states <= set(TONES)
    assert all(MARKS[state] for state in states)
    assert set(PALETTE) == set(DARK) >= set(TONES.values())


def test_a_picture_is_drawn_or_the_lack_of_a_font_is_told() -> None:
    if not any(Path("/usr/share/fonts").rglob("*.[ot]t[fc]")):
        with pytest.raises(StarterError, match="fonts-dejavu-core"):
            png(flow_of(QUICK))
        return
    drawn = png(flow_of(QUICK))
    assert drawn.startswith(b"\x89PNG")
    width = int.from_bytes(drawn[16:20])
    assert width == 2 * draw(flow_of(QUICK)).width
