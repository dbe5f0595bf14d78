"""Text from providers made fit for a history; see `contracts.scrub`."""

from contracts.scrub import WORDS_LIMIT, scrub

__all__ = ["WORDS_LIMIT", "scrub"]
