"""YAML as plain values that remember their lines. Duplicate keys, aliases that explode and odd tags are refused."""

from dataclasses import dataclass, field
from datetime import date

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

FILE_LIMIT_BYTES = 1024 * 1024
NODES_LIMIT = 20_000
"""Values after aliases are followed; a pipeline of 200 stages has about 4 000."""
Path = tuple[str | int, ...]
Plain = dict[str, "Plain"] | list["Plain"] | str | int | float | bool | None


class SyntaxProblem(Exception):
    """The text is no document; says where and why."""

    def __init__(self, line: int, message: str) -> None:
        """Point at a line, counted from 1."""
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass
class Document:
    """A parsed YAML document."""

    value: Plain
    lines: dict[Path, int]
    """Line of each value, and of each key, counted from 1."""

    def line_of(self, path: Path) -> int:
        """Line of the value at a path, or of the nearest one around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


@dataclass
class _Reader:
    lines: dict[Path, int] = field(default_factory=dict)
    nodes: int = 0

    def read(self, node: Node, path: Path, open_nodes: frozenset[int]) -> Plain:
        self.nodes += 1
        line = node.start_mark.line + 1
        if self.nodes > NODES_LIMIT:
            raise SyntaxProblem(
                line, f"the file holds more than {NODES_LIMIT} values once its aliases are followed"
            )
        if id(node) in open_nodes:
            raise SyntaxProblem(line, "an alias refers to what surrounds it")
        self.lines.setdefault(path, line)
        inner = open_nodes | {id(node)}
        if isinstance(node, MappingNode):
            return self._mapping(node, path, inner)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, index), inner) for index, item in enumerate(node.value)]
        return _scalar(node, line)

    def _mapping(self, node: MappingNode, path: Path, open_nodes: frozenset[int]) -> Plain:
        found: dict[str, Plain] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise SyntaxProblem(line, "a key is a plain word here")
            key = str(key_node.value)
            if key in found:
                raise SyntaxProblem(
                    line,
                    f"{key!r} stands twice in the same mapping, first on line {self.lines[(*path, key)]}",
                )
            self.lines[(*path, key)] = line
            found[key] = self.read(value_node, (*path, key), open_nodes)
        return found


def parse(text: str) -> Document:
    """Parse YAML 1.2.

    Raises:
        SyntaxProblem: it does not parse, repeats a key, explodes, or is too large.
    """
    if len(text.encode()) > FILE_LIMIT_BYTES:
        raise SyntaxProblem(
            1, f"the file is larger than {FILE_LIMIT_BYTES // 1024} KiB; a pipeline is a page or two"
        )
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SyntaxProblem(
            mark.line + 1 if mark else 1, f"this is not YAML: {error.problem or error.context}"
        ) from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise SyntaxProblem(
            1, f"this is not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
        ) from None
    if node is None:
        raise SyntaxProblem(1, "the file is empty")
    reader = _Reader()
    try:
        value = reader.read(node, (), frozenset())
    except RecursionError:
        raise SyntaxProblem(1, "the file is nested too deeply") from None
    return Document(value, reader.lines)


def _scalar(node: Node, line: int) -> Plain:
    try:
        value = YAML(typ="safe", pure=True).constructor.construct_object(node, deep=True)
    except (YAMLError, ValueError) as error:
        raise SyntaxProblem(line, f"{node.value!r} cannot be read: {str(error).splitlines()[0]}") from None
    if isinstance(value, date):
        return str(node.value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise SyntaxProblem(line, f"{node.tag} is no plain value")
