"""``python -m apps.stack.web <host> <port>``: waitress in front of the product's WSGI application."""

import signal
import sys
from types import FrameType

import waitress

from qkdplatform.wsgi import application

THREADS = 8
CHANNEL_SECONDS = 60


def main() -> None:
    host, port = sys.argv[1:]
    signal.signal(signal.SIGTERM, _exit)
    waitress.serve(
        application,
        host=host,
        port=int(port),
        threads=THREADS,
        channel_timeout=CHANNEL_SECONDS,
        ident="",
        clear_untrusted_proxy_headers=True,
    )


def _exit(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)  # waitress then closes its sockets and lets running requests end


if __name__ == "__main__":
    main()
