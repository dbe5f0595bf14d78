import json
from pathlib import Path

import pytest

from starter.exits import StarterError
from starter.first_steps import CALLED, init
from starter.spec.load import load


def test_a_first_pipeline_is_sound_under_the_name_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init("sales") == 0
    found = load(Path("sales/pipeline.yaml"))
    assert (found.spec.pipeline, len(found.bundles)) == ("sales", 1)
    written = [file for file in Path("sales").rglob("*") if file.is_file()]
    assert [file for file in written if CALLED in file.read_text()] == []
    said = capsys.readouterr().out
    assert [file for file in written if f"  {file}\n" not in said] == []


def test_a_script_is_told_which_files_were_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init("sales", as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert {Path(file) for file in told["files"]} == {
        file for file in Path("sales").rglob("*") if file.is_file()
    }


@pytest.mark.parametrize("name", ["Sales", "copy", "a/b", "..", "", "-x", "a" * 41, "é", "sales\n"])
def test_a_name_that_no_pipeline_can_have_makes_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StarterError, match="is no name for a pipeline: write a lower-case letter"):
        init(name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_there_already_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    there = tmp_path / "sales"
    there.mkdir() if kind == "folder" else there.write_text("mine")
    with pytest.raises(StarterError, match="sales is there already; choose another name"):
        init("sales")
    assert list(there.iterdir()) == [] if kind == "folder" else there.read_text() == "mine"
