"""Prometheus and Grafana as deploy/observability sets them up: they read what workers serve, and nothing else."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest

from tests.docs import books
from tests.docs.test_deploy import parsed
from tests.house import CHECKOUT
from workers.catalogue import WORKERS

HOME = "deploy/observability"
GRAFANA = f"{HOME}/grafana"
PROMETHEUS = parsed(f"{HOME}/prometheus.yml")
RULES = parsed(f"{HOME}/rules.yml")
DASHBOARD = json.loads(books.read(f"{GRAFANA}/causeway.json"))
SERVICES = parsed("docker-compose.yaml")["services"]
VARIABLES = {"$__rate_interval": "1m", "$__interval": "15s", "$__range": "6h"}
"""What Grafana writes into an expression before Prometheus sees it."""
ALERTS = [rule for group in RULES["groups"] for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Every expression of the rules and of the dashboard, by where it stands."""
    for rule in ALERTS:
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], written(target["expr"])


def written(expression: str) -> str:
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def selectors(expression: str) -> list[promql_parser.VectorSelector]:
    found: list[promql_parser.VectorSelector] = []

    def note(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)
        if isinstance(node, promql_parser.MatrixSelector):
            found.append(node.vector_selector)

    promql_parser.walk(promql_parser.parse(expression), note)
    return found


EXPRESSIONS = dict(expressions())


@pytest.mark.parametrize("where", EXPRESSIONS)
def test_every_expression_is_promql_over_some_metric(where: str) -> None:
    assert "$" not in EXPRESSIONS[where]
    assert selectors(EXPRESSIONS[where])


def test_alerts_have_what_prometheus_and_a_person_need() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(names) == len(set(names))
    for rule in ALERTS:
        assert set(rule) <= {"alert", "expr", "for", "keep_firing_for", "labels", "annotations"}, rule[
            "alert"
        ]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert promql_parser.parse_duration(rule.get("for", "1m")).total_seconds() > 0
    assert {group["name"] for group in RULES["groups"]} == {"causeway"}


@pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])
def test_an_alert_says_only_what_its_expression_still_knows(rule: dict[str, Any]) -> None:
    said = " ".join(rule["annotations"].values())
    used = set(re.findall(r"\$labels\.(\w+)", said))
    kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"])))) - {"le"}
    assert used <= (kept or {"worker"})


def test_an_alert_watches_over_each_thing_that_docs_promise() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \| ", section("Alert rules"), re.MULTILINE))
    assert listed == {rule["alert"] for rule in ALERTS}


def section(heading: str) -> str:
    text = books.read("docs/observability.md")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_prometheus_reads_every_worker_where_compose_lets_it_listen() -> None:
    (job,) = PROMETHEUS["scrape_configs"]
    read = {entry["labels"]["worker"]: entry["targets"] for entry in job["static_configs"]}
    assert read == {worker: [f"{worker}:9464"] for worker in WORKERS}
    for worker in WORKERS:
        assert SERVICES[worker]["environment"]["CAUSEWAY_METRICS_ADDRESS"] == "0.0.0.0:9464"
        assert "ports" not in SERVICES[worker], "metrics stay within the network of the containers"
    every = PROMETHEUS["global"]
    assert all(
        promql_parser.parse_duration(every[name]) for name in ("scrape_interval", "evaluation_interval")
    )


def test_files_are_mounted_where_prometheus_and_grafana_look_for_them() -> None:
    mounts = {
        target: CHECKOUT / source
        for name in ("prometheus", "grafana")
        for source, target in (
            volume.removesuffix(":ro").split(":")
            for volume in SERVICES[name]["volumes"]
            if volume.startswith("./")
        )
    }
    options = dict(word.lstrip("-").split("=") for word in SERVICES["prometheus"]["command"])
    config = options["config.file"]
    assert config in mounts
    folder = config.rpartition("/")[0]
    assert {f"{folder}/{name}" for name in PROMETHEUS["rule_files"]} <= set(mounts)
    (provider,) = parsed(f"{GRAFANA}/dashboards.yml")["providers"]
    shown = f"{provider['options']['path']}/causeway.json"
    assert shown in mounts
    assert SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"] == shown
    assert all(path.is_file() for path in mounts.values())


def test_watching_is_switched_on_by_its_profile_alone() -> None:
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["metrics"]} == {
        "prometheus",
        "grafana",
    }


def test_every_panel_asks_the_datasource_that_is_provisioned() -> None:
    (source,) = parsed(f"{GRAFANA}/datasource.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    named = {target["datasource"]["uid"] for panel in panels() for target in panel["targets"]}
    named |= {panel["datasource"]["uid"] for panel in panels()}
    assert named == {source["uid"]}


def test_panels_lie_side_by_side_on_the_grid_and_say_what_they_show() -> None:
    taken: dict[tuple[int, int], str] = {}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for cell in cells(place):
            assert cell not in taken, (panel["title"], taken.get(cell))
            taken[cell] = panel["title"]
    for panel in panels():
        assert panel["description"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


@pytest.mark.parametrize("panel", [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] != "row"])
def test_a_legend_names_labels_that_the_expression_keeps(panel: str) -> None:
    (found,) = [item for item in panels() if item["title"] == panel]
    for target in found["targets"]:
        used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"])))) - {"le"}
        assert used == kept


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def cells(place: dict[str, int]) -> Iterator[tuple[int, int]]:
    for x in range(place["x"], place["x"] + place["w"]):
        for y in range(place["y"], place["y"] + place["h"]):
            yield x, y
