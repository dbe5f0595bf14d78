"""A stand-in for the command line of AWS, so that a page's shell can be walked through by bash where it is not there.

A command is judged by the SDK's own models: service, operation, parameters and their shapes. Where `AWS_ENDPOINT_URL` is set
the operation is carried out.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import jmespath
from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.model import OperationModel, Shape
from botocore.session import Session
from botocore.validate import ParamValidator

ANSWER = "000000000000"
"""What is answered where nobody is asked: an account, a number or a name, as the page takes it."""
SERVICES = {"s3api": "s3"}
GLOBAL = {"query", "output", "region", "max-items"}
GLOBAL_SWITCHES = {"no-paginate", "no-cli-pager"}


class WrongCommand(Exception):
    """A command that the vendor's own command line would refuse."""


def main(words: list[str]) -> int:
    """Answer as the command line does, exit code included."""
    try:
        sys.stdout.write(f"{aws(words)}\n")
    except WrongCommand as wrong:
        sys.stderr.write(f"aws {' '.join(words[:2])}: {wrong}\n")
        return 252
    return 0


def aws(words: list[str]) -> str:
    """Carry a command of AWS out, or only judge it, and return what it prints."""
    if len(words) < 2:
        raise WrongCommand("needs a service and an operation")
    service, name = SERVICES.get(words[0], words[0]), words[1]
    if (service, name) == ("ecr", "get-login-password"):
        return ANSWER
    operation = operation_of(service, name)
    parameters, around = parsed(operation, words[2:])
    wrong = ParamValidator().validate(
        parameters, operation.input_shape or Shape("none", {"type": "structure"})
    )
    if wrong.has_errors():
        raise WrongCommand(wrong.generate_report())
    if not os.environ.get("AWS_ENDPOINT_URL"):
        return ANSWER
    client = Session().create_client(service, region_name=around.get("region", os.environ.get("AWS_REGION")))
    told = getattr(client, xform_name(operation.name))(**parameters)
    told.pop("ResponseMetadata", None)
    return shown(told, around)


def operation_of(service: str, name: str) -> OperationModel:
    """The model of an operation by its name on the command line."""
    try:
        model = Session().get_service_model(service)
    except DataNotFoundError:
        raise WrongCommand(f"there is no service {service}") from None
    for operation in model.operation_names:
        if xform_name(operation, "-") == name:
            return model.operation_model(operation)
    raise WrongCommand(f"{service} has no operation {name}")


def parsed(operation: OperationModel, words: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """The operation's parameters, and what the command line itself is told."""
    members = dict(operation.input_shape.members) if operation.input_shape else {}
    known = {xform_name(member, "-"): member for member in members}
    parameters: dict[str, Any] = {}
    around: dict[str, str] = {}
    left = list(words)
    while left:
        flag = left.pop(0)
        if not flag.startswith("--"):
            raise WrongCommand(f"{flag} belongs to no option")
        option = flag[2:]
        if option in GLOBAL:
            around[option] = left.pop(0)
        elif option in GLOBAL_SWITCHES:
            continue
        elif (
            option.removeprefix("no-") in known
            and members[known[option.removeprefix("no-")]].type_name == "boolean"
        ):
            parameters[known[option.removeprefix("no-")]] = not option.startswith("no-")
        elif option in known:
            values = [left.pop(0)]
            while left and not left[0].startswith("--"):
                values.append(left.pop(0))
            parameters[known[option]] = value_of(members[known[option]], values)
        else:
            raise WrongCommand(f"{operation.name} has no --{option}; it has {', '.join(sorted(known))}")
    return parameters, around


def value_of(shape: Shape, values: list[str]) -> Any:
    """A value as the command line takes it: plain, JSON, a file, or the short form `A=b,C=d`."""
    texts = [Path(text[7:]).read_text() if text.startswith("file://") else text for text in values]
    kind = shape.type_name
    if kind in {"structure", "map", "list"} and len(texts) == 1 and texts[0].lstrip()[:1] in {"{", "["}:
        return json.loads(texts[0])
    if kind == "list":
        return [value_of(shape.member, [text]) for text in texts]  # type: ignore[attr-defined]
    if len(texts) != 1:
        raise WrongCommand(f"{texts} are several values for one")
    if kind == "structure":
        pairs = [pair.partition("=") for pair in texts[0].split(",")]
        members = shape.members  # type: ignore[attr-defined]
        if unknown := [name for name, _, _ in pairs if name not in members]:
            raise WrongCommand(f"{shape.name} has no {', '.join(unknown)}")
        return {name: value_of(members[name], [value]) for name, _, value in pairs}
    return plain(kind, texts[0])


def plain(kind: str, text: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}[text.lower()]
    if kind in {"integer", "long"}:
        return int(text)
    if kind in {"double", "float"}:
        return float(text)
    if kind == "blob":
        return text.encode()
    return text


def shown(told: dict[str, Any], around: dict[str, str]) -> str:
    """What is printed of an answer, by `--query` and `--output`."""
    found = jmespath.search(around["query"], told) if "query" in around else told
    if around.get("output") == "text":
        return re.sub(r"[\[\]\", ]+", "\t", json.dumps(found, default=str)).strip()
    return json.dumps(found, indent=2, default=str)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
