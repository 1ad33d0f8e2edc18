"""``python -m apps.stack.web <host> <port>``: waitress in front of the product's WSGI application."""

import json
import signal
import socket
import sys
from typing import Any

import waitress
from django.conf import settings
from django.urls import reverse
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer
from waitress.task import ErrorTask, WSGITask

from apps.common import aws, health, problems
from apps.stack.lanes import Lanes
from apps.stack.serving import Serving, serve
from qkdplatform.wsgi import application

THREADS = 8
CHANNEL_SECONDS = 60
# Bodies over the limit are refused by the application, with the limit, once they were read. What is this much larger
# is not worth reading: the connection is closed on it.
UNREAD_TIMES = 8


class ProblemTask(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """Answers to what waitress itself refuses, with a problem document instead of text."""

    def execute(self) -> None:
        error = self.request.error
        body = json.dumps(problems.document(problems.of_status(error.code))).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", problems.CONTENT_TYPE))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(b"" if getattr(self.request, "command", "") == "HEAD" else body)  # unread where malformed


class BodilessHeadTask(WSGITask):  # type: ignore[misc]
    """Ends the answer to HEAD with its headers: waitress adds the last chunk where the length is not known."""

    def finish(self) -> None:
        if self.request.command == "HEAD":
            self.write(b"")
            self.chunked_response = False
        super().finish()


class Channel(HTTPChannel):  # type: ignore[misc]
    task_class = BodilessHeadTask
    error_task_class = ProblemTask


def make_server(served: Any, *, host: str, port: int) -> Any:
    """A waitress server, bound and not yet running."""
    BaseWSGIServer.channel_class = Channel
    return waitress.create_server(
        served,
        host=_first_address(host),
        port=port,
        _dispatcher=Lanes(THREADS),
        channel_timeout=CHANNEL_SECONDS,
        ident="",
        clear_untrusted_proxy_headers=True,
        max_request_body_size=UNREAD_TIMES * settings.REQUEST_BODY_MAX_BYTES,
    )


def _first_address(host: str) -> str:
    """One address to listen at: for a name of two, as localhost often is, waitress makes a server that Serving does not know."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def load() -> None:
    """What requests need, before they come in threads, and while the embedded AWS still reads its state."""
    reverse("home")  # imports the parts of the URLconf
    health.declared()
    for service in ("dynamodb", "sqs", "s3"):
        aws.client(service)


def main() -> None:
    host, port = sys.argv[1:]
    load()
    serving = Serving(make_server(application, host=host, port=int(port)))
    signal.signal(signal.SIGTERM, serving.tell)
    signal.signal(signal.SIGINT, serving.tell)
    serve(serving)


if __name__ == "__main__":
    main()
