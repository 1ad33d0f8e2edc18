"""A web worker as ``make run`` has it, whose requests hang, wait for a file, or have something happen to it in a bad moment."""

import os
import resource
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django

django.setup()

from apps.stack import serving as web_serving  # noqa: E402 - see above
from apps.stack.serving import Serving, serve  # noqa: E402
from apps.stack.web import make_server  # noqa: E402

pool = ThreadPoolExecutor()
begun, released = map(Path, sys.argv[1:3])
opened = int(sys.argv[3])
web_serving.STUCK_SECONDS, web_serving.GRACE_SECONDS = map(float, sys.argv[4:6])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 2 * opened)), hard))
files = [os.open(os.devnull, os.O_RDONLY) for _ in range(opened)]  # its sockets have higher numbers
answered = bytes(8_000_000)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/thunk":
        server.trigger.pull_trigger(lambda: os.kill(os.getpid(), signal.SIGTERM))
    elif path == "/broken":
        server.trigger.pull_trigger(server.handle_close)  # as an error on the way to a connection does
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
serve(serving)
