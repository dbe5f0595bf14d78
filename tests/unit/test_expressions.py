import pytest

from contracts.expression_tree import ExpressionError, Name, type_of
from contracts.expressions import parse, parse_best

PARAMS = {"floor": 0.9, "name": "blue", "dry": False, "n": 7}
METRICS = {"train": {"auc": 0.95, "roc-auc": 0.5, "rows": 569.0}}


def value(text: str) -> object:
    def lookup(name: Name) -> object:
        return PARAMS[name.name] if name.stage is None else METRICS[name.stage][name.name]

    return parse(text).value(lookup)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train.metrics.auc > params.floor", True),
        ("train.metrics.auc > params.floor and params.dry", False),
        ("not params.dry or 1 / 0 == 1", True),
        ("0.1 < train.metrics.auc <= 1", True),
        ("0.1 < train.metrics.auc < 0.2", False),
        ('train.metrics["roc-auc"] * 2 == 1', True),
        ("params.name == 'blue'", True),
        ("params.dry == false", True),
        ("(params.n + 1) * 2 - -1 == 17", True),
        ("params.n // 2 == 3 and params.n % 2 == 1", True),
    ],
)
def test_an_expression_comes_to_what_arithmetic_says(text: str, expected: object) -> None:
    assert value(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "params.x.__class__",
        "train.metrics.auc.real",
        "[1][0]",
        "(lambda: 1)()",
        "2 ** 99999999",
        "x",
        "params",
        "f'{params.x}'",
        "1 if true else 2",
        "params.x is 1",
        "params.x in 'abc'",
        "(params.x := 1)",
        "b'1'",
        "None",
        "...",
        "1j",
        "{}",
        "~1",
        "",
        "a b",
        "1 > ",
        "(" * 300 + "1" + ")" * 300,
        "-" * 900 + "1",
        "not " * 200 + "true",
        "1" * 2000,
        "1\n== 1",
        "\0",
    ],
    ids=range(28),
)
def test_what_is_no_condition_is_refused_and_never_run(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(("text", "column"), [("params.n > len(3)", 12), ("params.n > @", 12), ("1 +", 1)])
def test_a_mistake_is_told_with_its_column(text: str, column: int) -> None:
    with pytest.raises(ExpressionError, match=f"column {column}"):
        parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("params.name > 3", "is a number and is compared with a text"),
        ("params.name + 1 > 3", "where a number is needed"),
        ("params.dry > true", "no order"),
        ("params.n and true", "'params.n' is a number"),
        ("not params.n", "where true or false is needed"),
    ],
)
def test_types_that_do_not_go_together_are_found_before_a_run(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        parse(text).type(lambda name: type_of(PARAMS[name.name]))


@pytest.mark.parametrize("text", ["1 / 0 > 1", "params.n % 0 == 1", "1e308 * 10", "1e999"])
def test_what_has_no_value_says_so(text: str) -> None:
    with pytest.raises(ExpressionError, match=r"divides by zero|no finite number"):
        value(text)


def test_a_choice_is_the_largest_or_smallest_of_a_figure() -> None:
    assert parse_best("max(metrics.auc)").best == "max"
    assert parse_best(" min( metrics.loss * params.n ) ").figure == "metrics.loss * params.n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("metrics.auc", "no choice"),
        ("avg(metrics.auc)", "no choice"),
        ("max(train.metrics.auc)", "by its own metrics"),
        ("max(params.n)", "asks for no metric"),
        ("max()", "cannot be read"),
    ],
)
def test_another_choice_is_refused(text: str, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        parse_best(text)
