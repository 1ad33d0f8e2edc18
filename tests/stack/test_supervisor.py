"""The supervisor with stand-ins for the platform's programs."""

import json
import os
import signal
import sys
import threading
from types import SimpleNamespace

import psutil
import pytest

from apps.stack import layout, ports, prepare, pulse, resources, restarts, run, supervisor, testing
from apps.stack.configuration import Configuration
from tests import requirement
from tests.waiting import LIMIT_SECONDS, wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
DIE = [sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"]
WEB = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path in sys.argv[2:] else 404)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
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
    web = [sys.executable, "-c", WEB, str(port), pulse.LIVE_PATH, supervisor.READY_PATH]
    made = dict.fromkeys(("aws", "relay", "worker", "custody"), SLEEP) | {
        "prepare": [sys.executable, "-c", ""],
        "web": web,
    }
    monkeypatch.setattr(supervisor, "commands", lambda _: made)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield made
    for number, handler in before.items():
        signal.signal(number, handler)


class Announced:
    """What a test does, beside the supervisor, once that has said that the platform is there; then it is interrupted."""

    def __init__(self, folder):
        self.mark, self.ended = folder / "logs" / "announced", threading.Event()
        self.threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []

    def then(self, monkeypatch, work):
        announce = run._announce

        def announce_and_go_on(*arguments, **named):
            announce(*arguments, **named)
            self.mark.touch()
            self.threads.append(threading.Thread(target=self._work, args=(work,)))
            self.threads[-1].start()

        monkeypatch.setattr(run, "_announce", announce_and_go_on)

    def _work(self, work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the test's, below
            self.failures.append(error)
        if not self.ended.is_set():
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def announced(programs, tmp_path):
    made = Announced(tmp_path)
    yield made
    made.ended.set()
    for thread in made.threads:  # while the supervisor still takes the signals
        thread.join()
    assert made.failures == []


@pytest.fixture
def started(monkeypatch):
    """The parts that were started, in their order."""
    names: list[str] = []
    spawn = supervisor.Supervisor._spawn

    def spawn_and_note(self, part):
        child = spawn(self, part)
        names.append(part)
        return child

    monkeypatch.setattr(supervisor.Supervisor, "_spawn", spawn_and_note)
    return names


def at_once():
    """Nothing more: it is interrupted as soon as it is there."""


@requirement("F1")
def test_first_run_credentials_are_shown_once(programs, announced, monkeypatch, capsys, tmp_path):
    announced.then(monkeypatch, at_once)
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


@requirement("G5", "I3")
@pytest.mark.parametrize("restored", [True, False])
def test_nobody_is_answered_before_the_keys_of_a_backup_are_set_aside(
    programs, announced, monkeypatch, tmp_path, restored
):
    announced.then(monkeypatch, at_once)
    layout.make(tmp_path)
    layout.check_version(tmp_path)
    (tmp_path / "first-run.json").touch()
    mark, log = tmp_path / layout.RESTORED, tmp_path / "logs" / "web.log"
    if restored:
        mark.touch()
    seen = tmp_path / "logs" / "seen"
    wait = f"""
import pathlib, time
mark, log, seen = map(pathlib.Path, {[str(mark), str(log), str(seen)]!r})
for _ in range({3 if restored else 1500}):
    if log.exists():
        break
    time.sleep(0.1)
seen.write_text(str(log.exists()))
mark.unlink(missing_ok=True)
"""
    programs["prepare"] = [sys.executable, "-c", wait]
    assert run.main() == 0
    assert seen.read_text() == str(not restored), "the console is there once the keys are aside"


@pytest.mark.parametrize("name", ["aws", "prepare", "web", "relay", "worker", "custody"])
def test_a_part_that_ends_is_named_with_its_last_words(programs, quick, capsys, name):
    programs[name] = DIE
    assert run.main() == 1
    said = capsys.readouterr().err
    assert f"{name} ended with exit code 3" in said
    assert "the reason" in said


DIES = """
import pathlib, sys, time
announced, marker = map(pathlib.Path, sys.argv[1:3])
if marker.exists() and sys.argv[3] == "once":
    time.sleep(600)
while not announced.exists():  # before the console is there it is given up
    time.sleep(0.02)
marker.touch()
print(sys.argv[4], file=sys.stderr)
sys.exit(int(sys.argv[5]))
"""


def dies(announced, how, *, says="the reason", code=5):
    """A part that ends once the platform is there, the first time or each time."""
    marker = announced.mark.with_name("marker")
    return [sys.executable, "-c", DIES, str(announced.mark), str(marker), how, says, str(code)]


@pytest.fixture
def quick(monkeypatch, tmp_path):
    """A platform that started before, whose parts are started again at once."""
    (tmp_path / "first-run.json").write_text("{}")
    (tmp_path / "version").write_text(layout.VERSION + "\n")
    monkeypatch.setattr(restarts, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(restarts, "LONGEST_WAIT", 0.1)
    monkeypatch.setattr(restarts, "WINDOW_SECONDS", 9999)


@requirement("G1")
@pytest.mark.parametrize("name", ["aws", "relay", "worker"])
def test_a_part_that_ends_is_started_again(programs, quick, announced, started, monkeypatch, capsys, name):
    programs[name] = dies(announced, "once")
    # The custody's worker is the last to be started again with the AWS
    last = {"aws": ["aws", "worker", "custody"]}.get(name, [name])
    announced.then(monkeypatch, lambda: wait_for(lambda: all(started.count(one) > 1 for one in last)))
    assert run.main() == 0
    said = capsys.readouterr().out
    assert said.count(f"[{name}] ended with exit code 5, starting it again") == 1
    assert "the reason" in said
    # Celery's worker does not always find an AWS again that was away: it is another one then, and no failure
    assert (started.count("worker") > 1) is (name in {"aws", "worker"})
    assert "[worker] ended" not in said or name == "worker"


@requirement("G1")
@pytest.mark.parametrize("what", ["Child", "remember"])
def test_a_full_disk_does_not_end_all_parts_while_one_is_started_again(
    programs, quick, announced, started, monkeypatch, capsys, tmp_path, what
):
    """Its log cannot be made, or children.json not be written: the supervisor ended with a traceback, and all with it."""
    programs["relay"] = dies(announced, "once")
    real, failures = getattr(supervisor, what), [OSError(28, "No space left on device")]

    def fails_once(*arguments):
        if announced.mark.exists() and failures:
            if what == "Child":
                (tmp_path / "logs" / "relay.log").unlink()  # the last one was put aside
            raise failures.pop()
        return real(*arguments)

    monkeypatch.setattr(supervisor, what, fails_once)
    announced.then(monkeypatch, lambda: wait_for(lambda: started.count("relay") > 1))
    assert run.main() == 0
    said = capsys.readouterr().out
    assert failures == []
    assert "No space left on device" in said


@requirement("G1")
def test_a_part_that_never_stays_is_given_up_with_the_reason(programs, quick, announced, monkeypatch, capsys):
    programs["relay"] = dies(announced, "always")
    announced.then(monkeypatch, lambda: wait_for(announced.ended.is_set))
    assert run.main() == 1
    said = capsys.readouterr().err
    assert f"relay ended with exit code 5: it ended {restarts.MOST_FAILURES} times within 9999 s" in said
    assert "the reason" in said


@requirement("G1")
def test_what_another_start_does_not_mend_is_not_tried_again(programs, quick, announced, monkeypatch, capsys):
    programs["aws"] = dies(announced, "always", says="CRITICAL no space left", code=74)
    announced.then(monkeypatch, lambda: wait_for(announced.ended.is_set))
    assert run.main() == 1
    assert "aws: CRITICAL no space left" in capsys.readouterr().err


@requirement("F1")
def test_a_start_that_only_a_person_can_mend_says_how_in_a_sentence(programs, capsys):
    programs["prepare"] = [
        sys.executable,
        "-c",
        "import sys; sys.exit(print('The root key is another.') or 2)",
    ]
    assert run.main() == 2
    assert capsys.readouterr().err.splitlines() == ["Cannot start: The root key is another."]


@requirement("F1")
def test_what_is_not_ready_yet_is_said_and_does_not_keep_it_from_starting(
    programs, quick, announced, monkeypatch, capsys
):
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.3)
    monkeypatch.setattr(ports, "json_of", lambda *_: {"checks": [{"name": "quantum_keys", "ok": False}]})
    programs["web"] = programs["web"][:-1]  # alive, and not ready
    announced.then(monkeypatch, at_once)
    assert run.main() == 0
    assert "Not ready yet, and being worked on: quantum_keys." in capsys.readouterr().out


AWS = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
PORTS = {"aws": "AWS_PORT", "web": "PORT"}
ASKED = pytest.mark.parametrize("part", PORTS)
NEVER = 1e9  # seconds: what answers late on a slow machine is not taken for one that stands still


class Asked(list[int | None]):
    """What the pulse got for answers of a part that answers by itself, and how often the supervisor looked at it."""

    looks = 0

    def more(self, count=1):
        """Wait until it was asked, and then looked at, so often again."""
        asked, looks = len(self), self.looks
        wait_for(lambda: len(self) >= asked + count)
        looks = self.looks
        wait_for(lambda: self.looks >= looks + 2)


@pytest.fixture
def part():
    """Which one is asked."""
    return "aws"


@pytest.fixture
def patience(monkeypatch, part):
    """How long the part that is asked may be silent: no part for ever, until the test says otherwise."""
    for name in PORTS:
        monkeypatch.setitem(pulse.PATIENCE_SECONDS, name, NEVER)

    def last(seconds):
        pulse.PATIENCE_SECONDS[part] = seconds

    return last


@pytest.fixture
def asked(programs, quick, monkeypatch, part, patience):
    answers, frozen = Asked(), vars(pulse.Pulse)["frozen"]
    programs["aws"] = [sys.executable, "-c", AWS, os.environ["AWS_PORT"]]
    monkeypatch.setitem(pulse.ASK_SECONDS, part, 0.05)

    def ask(host, port, path, **_):
        if port != int(os.environ[PORTS[part]]):
            return None
        answers.append(ports.status_of(host, port, path, seconds=0.5))
        if answers[-1] == 200:
            patience(NEVER)
        return answers[-1]

    def look(self):
        answers.looks += self.name == part
        return frozen.fget(self)

    monkeypatch.setattr(pulse, "status_of", ask)
    monkeypatch.setattr(pulse.Pulse, "frozen", property(look))
    return answers


def stop(part, asked, tmp_path):
    """Have a part stand still (SIGSTOP) once it answers; its process id."""
    wait_for(lambda: asked[-1:] == [200])
    known = json.loads((tmp_path / "children.json").read_text())
    program = {"aws": AWS, "web": WEB}[part]
    [pid] = [entry["pid"] for entry in known if any(program in word for word in entry["command"])]
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: asked[-1] is None)  # from here on no answer comes
    return pid


@requirement("G1", "E5")
@ASKED
def test_a_part_that_is_stopped_for_a_moment_and_goes_on_is_left_alone(
    part, asked, announced, monkeypatch, capsys, tmp_path
):
    def stop_and_go_on():
        pid = stop(part, asked, tmp_path)
        asked.more(2)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: asked[-1] == 200)

    announced.then(monkeypatch, stop_and_go_on)
    assert run.main() == 0
    assert f"[{part}]" not in capsys.readouterr().out


@requirement("G1", "E5")
@ASKED
def test_a_part_that_is_stopped_for_too_long_is_another_one_when_it_would_go_on(
    part, asked, patience, announced, monkeypatch, capsys, tmp_path
):
    """It still listens: who connects waits for ever."""

    def stop_for_good():
        pid = stop(part, asked, tmp_path)
        patience(1.0)
        wait_for(lambda: not psutil.pid_exists(pid))
        wait_for(lambda: asked[-1] == 200)

    announced.then(monkeypatch, stop_for_good)
    assert run.main() == 0
    said = capsys.readouterr().out
    assert said.count(f"[{part}] has not answered for") == 1
    assert said.count(f"[{part}] ended with exit code -9, starting it again") == 1


@requirement("G1")
def test_an_aws_that_ended_may_take_its_time_to_come_back(
    asked, patience, announced, started, programs, monkeypatch, capsys, tmp_path
):
    """Its journal may be long: it is not taken for one that stands still."""
    marker, may_come = tmp_path / "logs" / "marker", tmp_path / "logs" / "may come"
    slow = f"""
import os, pathlib, signal, threading, time
marker, may_come = pathlib.Path({str(marker)!r}), pathlib.Path({str(may_come)!r})
if marker.exists():
    while not may_come.exists():
        time.sleep(0.02)
else:
    marker.touch()
    signal.signal(signal.SIGCONT, lambda *_: os._exit(5))
"""
    programs["aws"] = [sys.executable, "-c", slow + AWS, os.environ["AWS_PORT"]]

    def end_and_come_back():
        pid = stop("aws", asked, tmp_path)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: not psutil.pid_exists(pid))
        wait_for(lambda: started.count("worker") > 1)  # begun once the supervisor knows that it comes later
        patience(0.01)
        asked.more(3)
        may_come.touch()
        wait_for(lambda: asked[-1] == 200)

    announced.then(monkeypatch, end_and_come_back)
    assert run.main() == 0
    said = capsys.readouterr().out
    assert "[aws] ended with exit code 5, starting it again" in said
    assert "has not answered" not in said


class Beating:
    """A pulse by a clock of its own: each question takes so many seconds and gets such an answer, then no more come."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(pulse, "time", SimpleNamespace(monotonic=lambda: self.now))
        for name in PORTS:
            monkeypatch.setitem(pulse.ASK_SECONDS, name, 0.0)

    def asked(self, *questions, name="web"):
        """What is known before each question, and after the last."""
        left, known = [*questions, (0.0, False)], list[bool]()

        def ask():
            known.append(watched.frozen)
            passed, answers, *then = left.pop(0)
            self.now += passed
            for do in then:
                do(watched)
            if not left:
                watched.stop()
            return answers

        watched = pulse.Pulse(name, ask)
        watched.start()
        watched._thread.join(LIMIT_SECONDS)
        return watched, known


def test_a_supervisor_that_stood_still_itself_does_not_take_that_for_a_part(monkeypatch):
    beating = Beating(monkeypatch)
    _, known = beating.asked(
        (1.0, True), (6000.0, False)
    )  # both were stopped: that answer is lost with the connection
    assert known == [False, False, False]


def test_a_pulse_is_lost_only_by_who_answered_before(monkeypatch):
    lost = [(30.0, False)] * 4
    beating = Beating(monkeypatch)
    assert beating.asked(*lost)[1] == [False] * 5, "its start may be long"
    assert beating.asked((1.0, True), *lost)[1] == [False] * 5 + [True], "after 90 seconds"
    assert beating.asked((1.0, True), *lost[:3], (29.0, True), *lost[:3])[1] == [False] * 9


def test_an_answer_of_the_one_before_is_none_of_the_one_that_starts(monkeypatch):
    lost = [(30.0, False)] * 4
    restart = pulse.Pulse.expect_later
    assert Beating(monkeypatch).asked((1.0, True, restart), *lost)[1] == [False] * 6


def test_a_part_that_was_ended_for_its_silence_is_given_twice_as_long_until_it_was_well_for_an_hour(
    monkeypatch,
):
    """A machine that is only slow is not kept busy with starts."""
    end, beating = pulse.Pulse.expect_longer, Beating(monkeypatch)
    ended = [(1.0, False, end)] * 3
    watched, _ = beating.asked(*ended)
    assert watched.patience == 8 * pulse.PATIENCE_SECONDS["web"]
    watched, _ = beating.asked(*ended * 3)
    assert watched.patience == pulse.LONGEST_SECONDS
    watched, _ = beating.asked(*ended, (3000.0, True), (1.0, False), (3000.0, True))
    assert watched.patience == 8 * pulse.PATIENCE_SECONDS["web"], "it was silent in between"
    watched, _ = beating.asked(*ended, (3000.0, True), (3000.0, True))
    assert watched.patience == pulse.PATIENCE_SECONDS["web"]


def test_failures_that_are_long_ago_count_no_longer():
    known = restarts.Restarts()
    waits = [known.wait_after("web", 1, now=float(n)) for n in range(restarts.MOST_FAILURES)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, None]
    assert known.wait_after("web", 1, now=1000.0) == restarts.FIRST_WAIT
    assert known.wait_after("relay", -9, now=1000.0) == restarts.FIRST_WAIT


def test_a_start_that_takes_too_long_is_given_up(programs, capsys, monkeypatch):
    monkeypatch.setattr(supervisor, "START_SECONDS", 0.2)
    programs["prepare"] = SLEEP
    assert run.main() == 1
    assert "Gave up: the embedded AWS and its tables took more than" in capsys.readouterr().err


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
    monkeypatch.setattr(prepare, "know_the_root_key", lambda: done.append("root key"))
    monkeypatch.setattr(prepare, "free_jobs", lambda: done.append("jobs"))
    monkeypatch.setattr(prepare, "fill", lambda: done.append("stock"))
    prepare.main()
    assert done == ["migrate", "aws", "resources", "root key", "first_run", "jobs", "stock"]
