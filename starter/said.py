"""What a command that tells a run something says afterwards: a sentence, or with `--json` a document."""

import json
import sys
from typing import Any

from starter.exits import Exit
from starter.show import console


def say(words: str, *, as_json: bool, **facts: Any) -> Exit:
    """Say that it was done; scripts read the facts, with the sentence as `message`."""
    if as_json:
        sys.stdout.write(json.dumps({**facts, "message": words}, indent=2) + "\n")
    else:
        console().print(words, markup=False, soft_wrap=True)
    return Exit.SUCCEEDED
