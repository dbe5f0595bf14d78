"""Drawings and reports: nothing crosses a node, nothing of others becomes markup, everything can be read."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifacts import Artifact
from contracts.jobs import JobPhase, RunRef
from contracts.results import Candidate, Choice
from contracts.runs import (
    RunPhase,
    RunRequest,
    RunStatus,
    StageError,
    StageJob,
    StagePhase,
    StageStatus,
    TransferResult,
)
from contracts.spec import PipelineSpec
from starter.exits import StarterError
from starter.pages.flow import NOWHERE, SOURCE, Edge, Flow, Node, flow_of
from starter.pages.lanes import NODE_HEIGHT, NODE_WIDTH, Line, draw
from starter.pages.mermaid import mermaid
from starter.pages.palette import DARK, MARKS, PALETTE, TONES
from starter.pages.picture import png, svg
from starter.pages.report import html, markdown
from starter.pages.timeline import spoken, timeline_of
from starter.papers import write

BEGAN = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOSTILE = '</svg><script>alert(1)</script> ``` | `x` [a](javascript:b) "q" & <b>'


def spec_of(stages: dict[str, Any]) -> PipelineSpec:
    return PipelineSpec.model_validate({"pipeline": "play", "stages": stages})


QUICK = spec_of(
    {
        "ingest": {"kind": "copy", "on": "aws", "source": "file:///d/data.csv"},
        "train": {
            "kind": "train",
            "on": "aws",
            "command": "go",
            "inputs": {"data": "ingest"},
            "outputs": ["model", "metrics"],
        },
        "other": {
            "kind": "train",
            "on": "gcp",
            "command": "go",
            "inputs": {"data": "ingest"},
            "outputs": ["model", "metrics"],
        },
        "best": {"kind": "pick", "from": ["train", "other"], "by": "max(metrics.auc)"},
        "score": {
            "kind": "predict",
            "on": "azure",
            "command": "go",
            "inputs": {"model": "best.model", "data": "ingest"},
            "outputs": ["scores"],
        },
        "after": {"kind": "process", "on": "azure", "command": "go", "after": ["score"]},
    }
)


def artifact(uri: str = "s3://b/x/") -> Artifact:
    return Artifact(uri=uri, kind="folder", size_bytes=5, object_count=1, digest="d" * 64)


def moved(name: str, source: str, destination: str, **fields: Any) -> TransferResult:
    return TransferResult(
        artifact=name,
        source=source,
        destination=destination,
        size_bytes=2_500_000,
        objects=1,
        seconds=2.0,
        verified="end_to_end",
        result=artifact(),
        started_at=BEGAN + timedelta(seconds=5),
        ended_at=BEGAN + timedelta(seconds=7),
        **fields,
    )


def status_of(spec: PipelineSpec, **fields: Any) -> RunStatus:
    stages = {
        name: StageStatus(
            name=name,
            kind=stage.kind,
            connection=stage.on,
            phase=StagePhase.SUCCEEDED,
            started_at=BEGAN + timedelta(seconds=number),
            ended_at=BEGAN + timedelta(seconds=number + 9),
        )
        for number, (name, stage) in enumerate(spec.stages.items())
    }
    given = {
        "run": RunRef(pipeline=spec.pipeline, key="k", run_uid="u"),
        "phase": RunPhase.SUCCEEDED,
        "started_at": BEGAN,
        "ended_at": BEGAN + timedelta(seconds=30),
        "stages": stages,
    }
    return RunStatus(**(given | fields))


def page(status: RunStatus, spec: PipelineSpec = QUICK) -> str:
    return html(RunRequest(spec=spec, key="k"), status, "http://127.0.0.1:1/run")


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


def test_a_timeline_shows_stages_transfers_and_the_queue_in_the_order_they_began() -> None:
    status = status_of(QUICK, transfers=(moved("ingest.data", "aws/default", "gcp/default"),))
    job = StageJob(id="j", generation=1, name="n", phase=JobPhase.SUCCEEDED, queued_seconds=2, run_seconds=4)
    status.stages["train"] = status.stages["train"].model_copy(update={"job": job})
    found = timeline_of(status, BEGAN)
    assert [row.label for row in found.rows] == [
        "ingest",
        "train",
        "other",
        "best",
        "score",
        "after",
        "ingest.data",
    ]
    whole, queued = found.rows[1].bars
    # It ran from second 1 to 10 of 30; the job took the last 6 s and waited in the first two of them.
    assert (whole.left, whole.width) == pytest.approx((3.33, 30.0), abs=0.02)
    assert (queued.left, queued.width) == pytest.approx((13.33, 6.67), abs=0.02)
    assert found.rows[-1].where == "aws → gcp"
    assert [text for _, text in found.marks] == ["0 s", "5 s", "10 s", "15 s", "20 s", "25 s", "30 s"]


@given(st.floats(0.001, 1e7), st.floats(0, 1e7), st.floats(0, 1e7))
def test_no_bar_leaves_its_axis(taken: float, begin: float, length: float) -> None:
    status = status_of(QUICK, ended_at=BEGAN + timedelta(seconds=taken))
    status.stages["train"] = status.stages["train"].model_copy(
        update={
            "started_at": BEGAN + timedelta(seconds=begin),
            "ended_at": BEGAN + timedelta(seconds=begin + length),
        }
    )
    found = timeline_of(status, BEGAN)
    assert all(0 <= bar.left <= 100 and 0 < bar.width <= 100 for row in found.rows for bar in row.bars)
    assert 1 <= len(found.marks) <= 20


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (4.24, "4.2 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (180_000, "2 d 2 h"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words


class _Page(HTMLParser):
    """What a page would load, and which elements it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in {"src", "srcset", "data", "action"}]
        self.loaded += [value or "" for name, value in attrs if name == "href" and tag != "a"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_page_needs_nothing_else() -> None:
    text = page(status_of(QUICK))
    found = _Page(text)
    assert found.loaded == []
    assert not {"script", "iframe", "link", "img", "object", "embed"} & set(found.tags)
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def hostile() -> RunStatus:
    status = status_of(QUICK, description=HOSTILE, notes=(HOSTILE,))
    status.stages["train"] = status.stages["train"].model_copy(
        update={
            "phase": StagePhase.FAILED,
            "note": HOSTILE,
            "machine": HOSTILE,
            "metrics": {HOSTILE: 1.0},
            "shown": ({HOSTILE: HOSTILE},),
            "rows": 1,
            "logs": (HOSTILE,),
            "history": (HOSTILE,),
            "job": StageJob(id="j", generation=1, name=HOSTILE, console="javascript:alert(1)"),
            "error": StageError(kind="JOB_FAILED", message=HOSTILE, hint=HOSTILE),
            "choice": Choice(by=HOSTILE, stage="other", candidates=(Candidate(stage="other", why=HOSTILE),)),
        }
    )
    return status


def test_nothing_of_others_becomes_markup_of_a_page() -> None:
    found = _Page(page(hostile()))
    assert not {"script", "b"} & set(found.tags)
    assert found.text.count("<script>alert(1)</script>") >= 9
    assert 'href="javascript' not in page(hostile())


def test_nothing_of_others_becomes_markup_of_markdown() -> None:
    text = markdown(hostile(), "http://127.0.0.1:1/run")
    outside = "".join(part for number, part in enumerate(text.split("```")) if number % 2 == 0)
    assert not re.search(r"(?<!\\)<(?!http)", outside)
    assert not re.search(r"(?<!\\)\[a", outside)
    assert text.count("```") == 2
    rows = [line for line in outside.splitlines() if line.startswith("| train ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7, 4}


def test_a_page_tells_what_went_wrong_first_and_what_to_do() -> None:
    status = status_of(QUICK, phase=RunPhase.FAILED)
    error = StageError(kind="JOB_FAILED", message="no column age", hint="mend the script")
    status.stages["train"] = status.stages["train"].model_copy(update={"error": error})
    text = _Page(page(status)).text
    assert text.index("train: JOB_FAILED") < text.index("Where it ran")
    assert "no column age" in text
    assert "What to do: mend the script (docs/troubleshooting.md#job_failed)" in text


def test_hardly_any_cost_is_not_none_and_an_unknown_one_is_not_nothing() -> None:
    little = moved("a", "aws/default", "gcp/default", cost=Decimal("0.0002"), currency="USD")
    unknown = moved("b", "onprem/default", "gcp/default")
    for text in (
        page(status_of(QUICK, transfers=(little, unknown))),
        markdown(status_of(QUICK, transfers=(little, unknown)), "http://127.0.0.1:1/run"),
    ):
        assert "under 0.01 USD" in text
        assert "unknown" in text
    assert "<dt>egress</dt><dd>unknown</dd>" in page(status_of(QUICK, transfers=(unknown,)))
    assert "<dt>egress</dt><dd>none</dd>" in page(status_of(QUICK))
    assert " and 1 unknown</dd>" in page(status_of(QUICK, transfers=(little, unknown)))


def test_the_markdown_ends_its_last_line() -> None:
    assert markdown(status_of(QUICK), "http://127.0.0.1:1/run").endswith("run>\n")


def test_a_picture_is_drawn_or_the_lack_of_a_font_is_told() -> None:
    if not any(Path("/usr/share/fonts").rglob("*.[ot]t[fc]")):
        with pytest.raises(StarterError, match="fonts-dejavu-core"):
            png(flow_of(QUICK))
        return
    drawn = png(flow_of(QUICK))
    assert drawn.startswith(b"\x89PNG")
    width = int.from_bytes(drawn[16:20])
    assert width == 2 * draw(flow_of(QUICK)).width


def test_a_file_is_written_whole_or_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.svg"
    file.write_text("old")
    write(str(file), b"new")
    assert file.read_text() == "new"
    assert f"wrote {file}" in capsys.readouterr().err.replace("\n", "")
    with pytest.raises(StarterError, match="is a folder; name a file in it"):
        write(str(tmp_path), b"x")
    with pytest.raises(StarterError, match="cannot be written: No such file"):
        write(str(tmp_path / "none" / "a.svg"), b"x")
    assert sorted(tmp_path.iterdir()) == [file]
