"""The plain tables of the command line: no lines, words to the left, numbers to the right, one column that folds."""

from rich.table import Table


def plain_table(*words: str, numbers: tuple[str, ...] = (), fold: str | None = None) -> Table:
    """Return a table of these columns, in this order; what folds comes last."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for title in words:
        table.add_column(title, overflow="fold")
    for title in numbers:
        table.add_column(title, justify="right", no_wrap=True)
    if fold is not None:
        table.add_column(fold, overflow="fold")
    return table
