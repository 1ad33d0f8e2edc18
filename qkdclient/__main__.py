"""``python -m qkdclient``: the command."""

import sys

from qkdclient.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
