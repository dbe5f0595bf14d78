"""What a run tells of its plan: the quote, and of each stage that had a choice the places that lost."""

from contracts.plan import Plan
from workflows.book import Book


def explain(book: Book, plan: Plan) -> None:
    """Write down why stages run where they do, and what that was expected to cost; the first quote stays."""
    for name, placement in plan.placements.items():
        if placement.candidates and name in book.status.stages:
            book.change(name, candidates=placement.candidates)
    if plan.quote is not None and book.status.quote is None:
        book.update(quote=plan.quote)
