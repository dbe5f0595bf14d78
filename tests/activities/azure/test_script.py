import subprocess
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.azure import script
from contracts.artifacts import Artifact
from contracts.code import CodeRef
from contracts.errors import ErrorKind
from contracts.jobs import Argument, JobRequest, PathRef, RunRef


def request(*command: Argument, uri: str = "az://causeway/in/data.csv", name: str = "data") -> JobRequest:
    return JobRequest(
        run=RunRef(pipeline="p", key="k", run_uid="0" * 32),
        stage="score",
        generation=1,
        kind="predict",
        command=command,
        code=CodeRef(uri="az://causeway/code/1/", digest="1"),
        inputs={name: Artifact(uri=uri, kind="file", size_bytes=1, object_count=1, digest="d")},
        outputs={"out": "az://causeway/runs/0/out/"},
    )


def test_the_command_line_holds_nothing_a_pipeline_wrote() -> None:
    line = script.command_line(request(("python",), ("; rm -rf /",), ("$(id)",)))
    assert line == (
        "sh '${{inputs.causeway_job}}' '${{inputs.causeway_code}}' '${{inputs.data}}' '${{outputs.out}}'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "two words",
        "it's",
        '"$(id)"',
        "${1}",
        "`id`",
        "a\nb",
        "",
        "-n",
        "*",
        "\\",
        "${{inputs.data}}",
    ],
)
def test_arguments_and_paths_reach_the_command_as_they_are(text: str, tmp_path: Path) -> None:
    code, data, out = tmp_path / "the code", tmp_path / "it $(x) is.csv", tmp_path / "out"
    code.mkdir()
    (code / "show.sh").write_text('for given in "$@"; do printf "%s\\0" "$given"; done')
    path = PathRef(role="inputs", name="data")
    asked = request(
        ("sh",), ("show.sh",), (text,), (text, path, text), (PathRef(role="outputs", name="out"),)
    )
    (tmp_path / "run.sh").write_text(script.script(asked))
    told = subprocess.run(
        ["sh", "run.sh", str(code), str(data), str(out)], cwd=tmp_path, capture_output=True, check=True
    )
    assert told.stdout.decode().split("\0")[:-1] == [text, f"{text}{data}{text}", str(out)]
    assert out.is_dir()


@pytest.mark.parametrize("name", ["a b", "a;b", "", "1a", "causeway_job", "causeway_code", "a'b"])
def test_a_name_the_shell_could_read_is_refused(name: str) -> None:
    with pytest.raises(ApplicationError) as raised:
        script.check_names(request(("true",), name=name))
    assert raised.value.type == ErrorKind.INVALID_REQUEST


@pytest.mark.parametrize("uri", ["az://causeway/it's", "az://causeway/a\nb"], ids=["quote", "newline"])
def test_a_path_that_ends_the_quotes_is_refused(uri: str) -> None:
    with pytest.raises(ApplicationError) as raised:
        script.check_names(request(("true",), uri=uri))
    assert raised.value.type == ErrorKind.INVALID_REQUEST
