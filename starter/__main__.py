"""`python -m starter`: starts runs, asks them, shows them."""

from starter.cli import main

if __name__ == "__main__":
    main()
