"""Cuts a table into shards of nearly the same length, each with the header."""

import argparse
from pathlib import Path


def main() -> None:
    """Deal the rows out like cards, so that no shard is empty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shards", type=int, default=60)
    arguments = parser.parse_args()

    header, *rows = arguments.data.read_text().splitlines()
    for shard in range(min(arguments.shards, len(rows))):
        lines = [header, *rows[shard :: arguments.shards]]
        (arguments.out / f"shard-{shard:03}.csv").write_text("\n".join(lines) + "\n")
    print(f"cut {len(rows)} rows into {arguments.shards} shards")


if __name__ == "__main__":
    main()
