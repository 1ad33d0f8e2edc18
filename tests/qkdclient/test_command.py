"""The command: what it writes, its exit codes, and what it says when something is wrong."""

import json
import os
import shlex
import socket
import stat
import subprocess
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest

from apps.stack.configuration import ROOT
from qkdclient import Exit
from qkdclient.api import TIMEOUT
from qkdclient.patience import TELL_AFTER
from tests import requirement
from tests.qkdclient.platform import PART
from tests.waiting import wait_for

ANYWHERE = [
    ["--json", "files", "list"],
    ["files", "--json", "list"],
    ["files", "list", "--json"],
    ["list", "--json"],
]


@requirement("C8")
@pytest.mark.parametrize("arguments", ANYWHERE, ids=" ".join)
def test_json_may_stand_before_or_after_the_command(arguments, run, platform):
    platform.put_file(b"1", name="one")
    platform.put_file(b"2", name="two")
    code, out, _ = run(*arguments)
    assert (code, [json.loads(line)["name"] for line in out.splitlines()]) == (0, ["two", "one"])


@requirement("C8")
def test_names_are_shown_without_effect(run, platform):
    platform.put_file(b"1", name="\x1b[2J\u202egpj.exe")
    for arguments in (["list"], ["download", "f0"]):
        code, out, said = run(*arguments)
        assert (code, "\x1b" in out + said, "\u202e" in out + said) == (0, False, False)
    assert r"\x1b[2J\u202egpj.exe" in run("list")[1]


@requirement("C8")
def test_attributes_are_text_unless_they_are_json(run, platform, source):
    given = [
        "--attribute",
        "version=1.10",
        "--attribute",
        "flag=true",
        "--attribute",
        "n:=3",
        "--attribute",
        "e=a=b",
    ]
    assert run("upload", str(source), *given)[0] == Exit.DONE
    [stored] = platform.files.values()
    assert stored.about["attributes"] == {"version": "1.10", "flag": "true", "n": 3, "e": "a=b"}
    for wrong in ("noequals", "n:=x", "=x"):
        assert run("upload", str(source), "--attribute", wrong)[0] == Exit.USAGE


@requirement("C8")
def test_several_files_are_summed_up_and_one_failure_stops_no_other(run, platform, folder):
    for name in "abc":
        (folder / name).write_text(name)
    code, out, said = run("upload", "a", "missing", "b", "c")
    assert (code, len(out.splitlines()), len(platform.encrypted())) == (Exit.FAILED, 3, 3)
    assert said.splitlines()[-1] == "3 uploaded, 1 failed."
    assert "missing" in said
    ids = [stored.file_id for stored in platform.encrypted()]
    code, out, said = run("download", *ids, "none", "-o", "copies/")
    assert (code, said.splitlines()[-1]) == (Exit.NOT_FOUND, "3 downloaded, 1 failed.")


@requirement("C8")
def test_a_file_that_is_awaited_or_rejected_is_no_success(run, platform, source):
    platform.encrypts = False
    code, _, said = run("upload", str(source), "--wait", "0")
    assert (code, "Give the same command again" in said) == (Exit.AWAITED, True)


@requirement("C8")
def test_a_rejected_file_is_no_success_and_says_why(run, platform, source, monkeypatch):
    monkeypatch.setattr(platform, "encrypt", lambda stored: setattr(stored, "status", "rejected"))
    code, _, said = run("upload", str(source))
    assert (code, "rejected: too large" in said) == (Exit.REJECTED, True)


@requirement("C8")
@pytest.mark.parametrize("place", ["folder", "folder/", "named", None, "-"])
def test_a_download_goes_where_it_is_told(place, run, platform, folder):
    (folder / "folder").mkdir()
    stored = platform.put_file(os.urandom(3 * PART))
    arguments = [] if place is None else ["-o", place]
    code, out, _ = run("--json", "download", stored.file_id, *arguments) if place != "-" else (0, "", "")
    if place == "-":
        command = [sys.executable, "-m", "qkdclient", "download", stored.file_id, "-o", "-"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        assert (
            subprocess.run(command, capture_output=True, check=True, env=environment).stdout == stored.content
        )
        return
    path = Path({"folder": "folder/a.bin", "folder/": "folder/a.bin", "named": "named", None: "a.bin"}[place])
    assert (code, json.loads(out)["path"]) == (0, str(path))
    assert path.read_bytes() == stored.content


@requirement("C8")
def test_a_reader_that_has_seen_enough_ends_it_quietly(run, platform):
    stored = platform.put_file(os.urandom(40 * PART))
    python = shlex.quote(sys.executable)
    code = f"{python} -m qkdclient download {stored.file_id} -o - | head -c 10 | wc -c"
    done = subprocess.run(
        ["bash", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert (done.stdout.strip(), done.stderr) == ("10", "")


@requirement("C8")
@pytest.mark.parametrize(
    ("status", "code"),
    [("401", Exit.FORBIDDEN), ("403", Exit.FORBIDDEN), ("404", Exit.NOT_FOUND), ("400", Exit.FAILED)],
)
def test_a_refusal_has_its_exit_code_and_names_the_server(status, code, run, platform):
    platform.faults.append(lambda *_: status)
    found, _, said = run("list")
    assert (found, platform.url in said, "Traceback" in said) == (code, True, False)


@pytest.fixture
def silent():
    """The URL of a host that takes no connection: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


@requirement("C8")
@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "Connection refused"),
        ("http://no-such-host.invalid", "no host"),
        ("nonsense", "nonsense is no URL"),
        ("silent", "does not answer"),
    ],
)
def test_a_server_that_is_not_there_is_named_long_before_it_is_given_up(url, says, run, tmp_path, silent):
    """Within three seconds, beside what the machine takes: of connecting, and then of a pause."""
    assert isinstance(TIMEOUT.connect_timeout, float)
    assert max(TIMEOUT.connect_timeout, TELL_AFTER) <= 3
    said, url = tmp_path / "said", silent if url == "silent" else url
    command = [sys.executable, "-m", "qkdclient", "--url", url, "list"]
    with said.open("wb") as out:
        process = subprocess.Popen(command, stderr=out, env=os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for(lambda: says in said.read_text() or process.poll() is not None)
    process.kill()
    process.wait()
    assert says in said.read_text()
    assert "--url" in said.read_text()


@requirement("C8")
def test_a_server_that_is_something_else_is_named(run, platform, monkeypatch):
    monkeypatch.setattr(platform, "answer", lambda *_: (200, b"<html>hello</html>", {}))
    code, _, said = run("list")
    assert (code, "not as the platform does" in said) == (Exit.UNREACHABLE, True)


@requirement("C8")
def test_a_passphrase_comes_from_the_environment_or_the_terminal(run, platform, source, monkeypatch):
    monkeypatch.setenv("QKD_PASSPHRASE", "correct horse")
    assert run("upload", str(source), "--passphrase")[0] == Exit.DONE
    [stored] = platform.files.values()
    assert stored.about["passphrase"] == "correct horse"


@requirement("C8")
def test_each_method_of_one_file_takes_several(run, platform):
    stored = [platform.put_file(bytes([n])) for n in range(3)]
    code, out, said = run("files", "digest", *[one.file_id for one in stored])
    assert (code, out.split(), said) == (0, [one.sha256 for one in stored], "3 done.\n")


@requirement("C8")
def test_the_version_is_told(run):
    assert run("--version")[1].startswith("qkdclient")


def profile(text):
    folder = Path(os.environ["XDG_CONFIG_HOME"], "qkdclient")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)


@requirement("C8")
@pytest.mark.parametrize(
    "key", ['key.env = "OTHER_KEY"', "key.command = \"printf 'key\\nmore'\""], ids=["environment", "command"]
)
def test_a_profile_gives_server_and_key(key, run, platform, monkeypatch):
    monkeypatch.setenv("OTHER_KEY", "key")
    monkeypatch.setenv("QKD_API_KEY", "another server's")
    profile(f'[profiles.work]\nurl = "{platform.url}"\n{key}\n')
    assert run("list", "--profile", "work")[0] == Exit.DONE
    assert run("list")[0] == Exit.FORBIDDEN
    monkeypatch.delenv("QKD_API_KEY")
    monkeypatch.delenv("QKD_URL")
    assert run("list")[0] == Exit.USAGE
    profile(f'profile = "work"\n[profiles.work]\nurl = "{platform.url}"\n{key}\n')
    assert run("list")[0] == Exit.DONE


@requirement("C8")
def test_a_profiles_key_goes_to_its_own_server_only(run, platform, monkeypatch):
    profile('profile = "work"\n[profiles.work]\nurl = "https://qkd.example.com"\nkey.env = "OTHER_KEY"\n')
    monkeypatch.setenv("OTHER_KEY", "key")
    assert run("--profile", "work", "--url", platform.url, "list")[0] == Exit.USAGE
    monkeypatch.delenv("QKD_API_KEY")
    assert run("--url", platform.url, "list")[0] == Exit.USAGE
    assert not platform.requests


@requirement("C8")
@pytest.mark.parametrize(
    "text",
    ["not toml", "[profiles.work]", '[profiles.work]\nurl="x"', '[profiles.work]\nurl="x"\nkey="secret"',
     '[profiles.work]\nurl="x"\nkey.command="false"', '[profiles.work]\nurl="x"\nkey.env="NOT_SET"'],
)  # fmt: skip
def test_a_profile_that_says_too_little_is_refused(text, run):
    profile(text)
    code, _, said = run("--profile", "work", "list")
    assert (code, "secret" in said, "Traceback" in said) == (Exit.USAGE, False, False)


@pytest.fixture
def keyring(monkeypatch):
    """A keyring of the system, in memory: what is kept, by service and name."""

    class KeyringError(Exception):
        pass

    class Locked(KeyringError):
        pass

    kept: dict[tuple[str, str], str] = {}

    def get_password(service, name):
        if service == "locked":
            raise Locked
        return kept.get((service, name))

    made: Any = types.ModuleType("keyring")
    made.get_password, made.errors = get_password, types.SimpleNamespace(KeyringError=KeyringError)
    monkeypatch.setitem(sys.modules, "keyring", made)
    return kept


@requirement("C8", "E11")
def test_a_profiles_key_comes_from_the_keyring(run, platform, keyring, monkeypatch):
    monkeypatch.delenv("QKD_API_KEY")
    monkeypatch.delenv("QKD_URL")
    profile(f'[profiles.work]\nurl = "{platform.url}"\nkey.keyring = "qkd"\n')
    code, _, said = run("list", "--profile", "work")
    assert (code, "work" in said, "Traceback" in said) == (Exit.USAGE, True, False), "none is kept yet"
    keyring["qkd", "work"] = "key"
    assert run("list", "--profile", "work")[0] == Exit.DONE
    keyring["qkd", "work"] = "another"
    assert run("list", "--profile", "work")[0] == Exit.FORBIDDEN


@requirement("C8", "E11")
def test_a_keyring_that_is_locked_or_not_installed_is_told(run, platform, keyring, monkeypatch):
    profile(f'[profiles.work]\nurl = "{platform.url}"\nkey.keyring = "locked"\n')
    code, _, said = run("list", "--profile", "work")
    assert (code, "Locked" in said, "Traceback" in said) == (Exit.USAGE, True, False)
    monkeypatch.setitem(sys.modules, "keyring", None)  # as where it is not installed
    code, _, said = run("list", "--profile", "work")
    assert (code, "pip install 'qkdclient[keyring]'" in said) == (Exit.USAGE, True)


@requirement("C8")
def test_a_mode_can_be_told(run, platform):
    stored = platform.put_file(b"x")
    assert run("download", stored.file_id, "--mode", "644")[0] == 0
    assert stat.S_IMODE(Path("a.bin").stat().st_mode) == 0o644
    assert run("download", stored.file_id, "--mode", "rw")[0] == Exit.USAGE


@requirement("C8")
def test_a_limited_rate_is_kept(run, platform, source, monkeypatch):
    """Time passes by waiting for the rate alone."""
    size, rate, now, seen = source.stat().st_size, 200_000, [1000.0], threading.local()

    def monotonic():
        seen.moment = now[0]
        return seen.moment

    def sleep(seconds):  # of several threads at once, as far as the one goes that sleeps the longest
        now[0] = max(now[0], seen.moment + seconds)

    monkeypatch.setattr("qkdclient.pace.time", types.SimpleNamespace(monotonic=monotonic, sleep=sleep))
    assert run("upload", str(source), "--limit-rate", "200k")[0] == 0
    [stored] = platform.files.values()
    assert 0.9 * size / rate < now[0] - 1000 < 1.5 * size / rate
    assert stored.content == source.read_bytes()
    now[0] = 1000.0
    assert run("download", stored.file_id, "-o", "copy", "--limit-rate", "200kB/s")[0] == 0
    assert 0.9 * size / rate < now[0] - 1000 < 1.5 * size / rate
