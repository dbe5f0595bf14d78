"""`python -m handbook reference` writes docs/reference.md again; `python -m handbook site` builds the docs into site/."""

import sys

from handbook import reference, site

WORDS = {"reference": reference.main, "site": site.main}


def main(words: list[str]) -> int:
    """Do what one word says."""
    if len(words) != 1 or words[0] not in WORDS:
        sys.stderr.write(f"usage: python -m handbook {'|'.join(WORDS)}\n")
        return 2
    return WORDS[words[0]]()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
