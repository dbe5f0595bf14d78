"""Small files that are replaced as a whole. A job's runner imports this: standard library only."""

import os
import uuid
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Make the content the file at a path, or leave the path as it was."""
    draft = path.with_name(f".{uuid.uuid4().hex}")
    with draft.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
