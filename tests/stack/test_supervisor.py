"""The supervisor with stand-ins for the platform's programs."""

import json
import os
import signal
import sys
import threading

import pytest

from apps.stack import layout, prepare, resources, run, testing
from apps.stack.configuration import Configuration
from tests import requirement

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DIE = [sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"]
WEB = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == sys.argv[2] else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """What each child runs; the folder and the ports are the test's own."""
    port = testing.free_port()
    for name, value in {
        "LOCAL_DIR": str(tmp_path),
        "PORT": str(port),
        "AWS_PORT": str(testing.free_port()),
    }.items():
        monkeypatch.setenv(name, value)
    web = [sys.executable, "-c", WEB, str(port), run.READY_PATH]
    made = dict.fromkeys(("aws", "relay", "worker"), SLEEP) | {
        "prepare": [sys.executable, "-c", ""],
        "web": web,
    }
    monkeypatch.setattr(run, "commands", lambda _: made)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


def interrupt_when_ready(monkeypatch):
    announce = run._announce

    def announce_then_interrupt(*arguments, **named):
        announce(*arguments, **named)
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    monkeypatch.setattr(run, "_announce", announce_then_interrupt)


@requirement("F1")
def test_first_run_credentials_are_shown_once(programs, monkeypatch, capsys, tmp_path):
    interrupt_when_ready(monkeypatch)
    made = {"user": "operator", "password": "the password", "api_key": "the key"}
    path = tmp_path / "first-run.json"
    programs["prepare"] = [sys.executable, "-c", f"open({str(path)!r}, 'w').write({json.dumps(made)!r})"]
    assert run.main() == 0
    first = capsys.readouterr().out
    assert "the password" in first
    assert "the key" in first
    assert run.main() == 0
    again = capsys.readouterr().out
    assert "the password" not in again
    assert str(path) in again
    assert "Stopped." in again
    assert not (tmp_path / "children.json").exists()


@pytest.mark.parametrize("name", ["aws", "prepare", "web", "relay", "worker"])
def test_a_part_that_ends_is_named_with_its_last_words(programs, capsys, name, tmp_path):
    (tmp_path / "first-run.json").write_text("{}")
    (tmp_path / "version").write_text(layout.VERSION + "\n")
    programs[name] = DIE
    assert run.main() == 1
    said = capsys.readouterr().err
    assert f"{name} ended with exit code 3" in said
    assert "the reason" in said


def test_a_start_that_takes_too_long_is_given_up(programs, capsys, monkeypatch):
    monkeypatch.setattr(run, "START_SECONDS", 0.2)
    programs["prepare"] = SLEEP
    assert run.main() == 1
    assert "Gave up: the tables took more than" in capsys.readouterr().err


def test_a_bad_variable_is_named(monkeypatch, capsys):
    monkeypatch.setenv("PORT", "eighty")
    assert run.main() == 2
    assert "PORT must be a port" in capsys.readouterr().err


def test_more_than_loopback_is_said(capsys, tmp_path, monkeypatch):
    configuration = Configuration.read({"BIND": "192.0.2.7", "LOCAL_DIR": str(tmp_path)})
    run._announce(configuration, 1.0, first=False)
    assert "other machines can connect" in capsys.readouterr().out


def test_preparing_waits_for_the_embedded_aws(monkeypatch):
    monkeypatch.setattr(prepare, "READY_SECONDS", 0.1)
    with pytest.raises(TimeoutError):
        prepare.wait_for(f"http://127.0.0.1:{testing.free_port()}")


def test_preparing_makes_the_database_the_resources_and_the_first_run(monkeypatch):
    done = []
    monkeypatch.setattr(prepare, "call_command", lambda name, **_: done.append(name))
    monkeypatch.setattr(prepare, "wait_for", lambda _: done.append("aws"))
    monkeypatch.setattr(resources, "ensure", lambda: done.append("resources"))
    monkeypatch.setattr(prepare, "fill", lambda: done.append("stock"))
    prepare.main()
    assert done == ["migrate", "aws", "resources", "first_run", "stock"]
