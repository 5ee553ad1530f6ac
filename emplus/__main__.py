"""``python -m emplus``, the same as the ``emplus`` command."""

from emplus.cli.app import main

if __name__ == "__main__":
    main(prog_name="emplus")
