"""A web worker as ``make run`` has it, whose requests hang, wait for a file, or have the signal come in a bad moment."""

import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django

django.setup()

from apps.stack.serving import Serving, leave  # noqa: E402 - see above
from apps.stack.web import make_server  # noqa: E402

pool = ThreadPoolExecutor()
begun, released = map(Path, sys.argv[1:])
answered = bytes(8_000_000)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/thunk":
        server.trigger.pull_trigger(lambda: os.kill(os.getpid(), signal.SIGTERM))
    elif path == "/waits":
        begun.touch()
        while not released.exists():
            time.sleep(0.02)
    else:
        pool.submit(time.sleep, 600).result()
    start_response("200 OK", [("Content-Length", str(len(answered)))])
    return [answered]


server = make_server(application, host="127.0.0.1", port=0)
serving = Serving(server)
signal.signal(signal.SIGTERM, serving.tell)
print(server.effective_port, flush=True)  # noqa: T201 - for the test
serving.run()
leave()
