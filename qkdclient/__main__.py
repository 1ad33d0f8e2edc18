"""``python -m qkdclient``: the command."""

from qkdclient.cli.main import run

if __name__ == "__main__":
    run()
