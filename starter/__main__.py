"""`python -m starter`: starts runs, asks them, shows them."""

import sys


def _main() -> None:
    try:
        from starter.cli import main
    except ModuleNotFoundError as error:
        sys.stderr.write(
            f"{error.name} is not installed for {sys.executable}; "
            "run `make setup`, then `.venv/bin/python -m starter` (or activate .venv)\n"
        )
        sys.exit(2)
    main()


if __name__ == "__main__":
    _main()
