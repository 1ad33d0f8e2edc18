"""What every answer goes through on its way out, whichever server there is."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def without_head_bodies(application: "WSGIApplication") -> "WSGIApplication":
    """Drop the body of every answer to HEAD; its headers, Content-Length among them, stay as for GET.

    Django leaves that to the server, and waitress sends what it is given: on a kept connection the body would be
    read as the next answer.
    """

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = application(environ, start_response)
        if environ["REQUEST_METHOD"] != "HEAD":
            return body
        close = getattr(body, "close", None)
        if close is not None:  # ends the request for Django: files and connections of the answer
            close()
        return [b""]

    return answer
