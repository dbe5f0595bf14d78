"""Which names globs mean."""

import pytest

from activities.selection import Selection

NAMES = ("a.csv", "b.txt", "deep/c.csv", "deep/er/d.csv", "logs/x.log", "deep/logs/y.log", "odd[1].csv")


@pytest.mark.parametrize(
    ("include", "exclude", "meant"),
    [
        ((), (), NAMES),
        (("*.csv",), (), ("a.csv", "deep/c.csv", "deep/er/d.csv", "odd[1].csv")),
        (("/*.csv",), (), ("a.csv", "odd[1].csv")),
        (("deep/*.csv",), (), ("deep/c.csv",)),
        (("deep/**",), (), ("deep/c.csv", "deep/er/d.csv", "deep/logs/y.log")),
        (("/deep/**/*.csv",), (), ("deep/c.csv", "deep/er/d.csv")),
        (("logs/",), (), ("logs/x.log", "deep/logs/y.log")),
        (("?.csv",), (), ("a.csv", "deep/c.csv", "deep/er/d.csv")),
        (("[ab].*",), (), ("a.csv", "b.txt")),
        (("[!a].csv",), (), ("deep/c.csv", "deep/er/d.csv")),
        (("odd[[]1].csv",), (), ("odd[1].csv",)),
        ((), ("*.csv", "*.log"), ("b.txt",)),
        (("*.csv",), ("deep/",), ("a.csv", "odd[1].csv")),
    ],
)
def test_a_glob_means_what_people_expect(
    include: tuple[str, ...], exclude: tuple[str, ...], meant: tuple[str, ...]
) -> None:
    selection = Selection(include, exclude)
    assert tuple(filter(selection, NAMES)) == meant


@pytest.mark.parametrize("pattern", ["", "/", "[abc", "x[", "[z-a]"])
def test_a_malformed_glob_is_named(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern"):
        Selection((pattern,), ())
