"""`validate --policy`: what the policy of the workers says of a pipeline before any of them is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from starter import offline
from starter.exits import Exit, StarterError
from starter.spec.problems import SpecError

PIPELINE = """pipeline: churn
stages:
  a:
    kind: copy
    on: aws
    source: s3://landing/a/
  b:
    kind: train
    on: gcp
    inputs: {x: a}
    command: "true"
    outputs: [out]
"""
RULES = "classes:\n  pii:\n    clouds: [aws]\n    regions: [eu-*]\ndata: {'s3://landing/': pii}\n"


def files(folder: Path, rules: str) -> tuple[str, str]:
    pipeline, policy = folder / "churn.yaml", folder / "policy.yaml"
    pipeline.write_text(PIPELINE)
    policy.write_text(rules)
    return str(pipeline), str(policy)


def test_a_rule_that_nobody_may_waive_is_a_mistake_at_its_stage(tmp_path: Path) -> None:
    pipeline, policy = files(tmp_path, RULES)
    with pytest.raises(SpecError) as raised:
        offline.validate(pipeline, (), policy, as_json=False)
    (mistake,) = raised.value.mistakes
    assert (mistake.line, mistake.field) == (7, "stages.b")
    told = "data of class pii may lie on aws only, not on gcp/default (nobody may waive it)"
    assert mistake.message == f"rule clouds, stage b: {told}"
    assert offline.validate(pipeline, (), as_json=False) is Exit.SUCCEEDED


def test_a_rule_that_somebody_may_waive_is_told(tmp_path: Path, capsys: Any) -> None:
    pipeline, policy = files(tmp_path, f"{RULES}waivers: {{clouds: [dana]}}\n")
    assert offline.validate(pipeline, (), policy, as_json=False) is Exit.SUCCEEDED
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("a run waits before its first stage: rule clouds, stage b:")
    offline.validate(pipeline, (), policy, as_json=True)
    (waits,) = json.loads(capsys.readouterr().out)["waits"]
    assert (waits["rule"], waits["stage"], waits["may_waive"]) == ("clouds", "b", ["dana"])


def test_a_region_is_judged_where_the_policy_tells_it(tmp_path: Path) -> None:
    pipeline, policy = files(tmp_path, f"{RULES}waivers: {{clouds: [dana]}}\nplaces: {{aws: us-east-1}}\n")
    with pytest.raises(SpecError, match="rule regions, stage a"):
        offline.validate(pipeline, (), policy, as_json=False)


def test_a_policy_with_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    pipeline, policy = files(tmp_path, "tls: required\nencrypt: provider\n")
    with pytest.raises(SpecError, match=r"policy\.yaml:2"):
        offline.validate(pipeline, (), policy, as_json=False)
    with pytest.raises(StarterError, match="cannot be read"):
        offline.validate(pipeline, (), str(tmp_path / "absent.yaml"), as_json=False)
