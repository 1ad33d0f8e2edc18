"""The command in strange surroundings: odd servers, keys, streams, names and folders. It says what to do, and ends."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apps.stack.configuration import ROOT
from qkdclient import Client, ClientError, Exit, Unfit, Unreachable
from qkdclient.api import Api
from qkdclient.sync_state import synced
from tests import requirement

ENDS = 480  # seconds after which a command that should end at once has not


def started(platform, *arguments, shell="", **environment):
    """The command in a process of its own."""
    more = {"QKD_URL": platform.url, "QKD_API_KEY": "key", "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "qkdclient", *arguments]
    if shell:
        command = ["bash", "-c", f'"$0" -m qkdclient {shell}', sys.executable]
    # Tests that a shell began in the background ignore an interrupt, and so would what they begin
    return subprocess.Popen(
        ["env", "--default-signal=INT", *command],
        env=os.environ | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(process):
    out, said = process.communicate(timeout=ENDS)
    assert b"Traceback" not in said, said.decode()
    assert b"Exception" not in said, said.decode()
    return process.returncode, out.decode(errors="replace"), said.decode()


@requirement("C8", "I8")
@pytest.mark.parametrize(
    ("variable", "value", "code", "says"),
    [
        ("QKD_URL", "http://[", Exit.UNREACHABLE, "is no URL"),
        ("QKD_URL", "http://127.0.0.1:99999", Exit.UNREACHABLE, "Check the URL"),
        ("QKD_API_KEY", "a\nb", Exit.USAGE, "Copy it again"),
        ("QKD_API_KEY", "k€y", Exit.USAGE, "Copy it again"),
    ],
    ids=["url-bracket", "url-port", "key-line-end", "key-euro"],
)
def test_a_server_or_key_that_is_none_is_told(variable, value, code, says, run, monkeypatch):
    monkeypatch.setenv(variable, value)
    found, _, said = run("list")
    assert (found, says in said) == (code, True), said


@requirement("C8", "I8")
@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--name-prefix", "\udcff"),
        ("upload", "source.bin", "--attribute", "a=\udcff"),
        ("upload", "source.bin", "--type", "\udcff"),
        ("upload", "source.bin", "--attribute", "a:=NaN"),
        ("download", "f0", "--passphrase"),
    ],
    ids=["prefix", "attribute", "type", "not-a-number", "passphrase"],
)
def test_what_is_no_text_or_number_is_refused_before_it_is_sent(
    arguments, run, platform, source, monkeypatch
):
    platform.put_file(b"1")
    monkeypatch.setenv("QKD_PASSPHRASE", "\udcff")
    code, _, said = run(*arguments)
    assert code == Exit.FAILED
    assert "UTF-8" in said or "finite" in said
    assert not platform.announced


@requirement("C8")
@pytest.mark.parametrize("option", ["--retry", "--wait"])
def test_no_number_is_no_time(option, run, source):
    assert run("upload", "source.bin", option, "nan")[0] == Exit.USAGE


@requirement("C8")
def test_what_is_named_twice_is_done_once(run, platform, source):
    code, _, _ = run("upload", "source.bin", "source.bin")
    assert (code, len(platform.encrypted())) == (Exit.DONE, 1)


@requirement("C8")
@pytest.mark.parametrize(
    ("shell", "code", "says"),
    [
        ("list >&-", Exit.FAILED, "Standard output is closed"),
        ("download f0 -o - >&-", Exit.FAILED, "Standard output is closed"),
        ("upload - <&-", Exit.FAILED, "Standard input is closed"),
        ("messages encrypt - <&-", Exit.FAILED, "Standard input is closed"),
        ("list > /dev/full", Exit.FAILED, "No space left"),
        ("files get nope 2>&-", Exit.NOT_FOUND, ""),
    ],
    ids=["closed-list", "closed-download", "closed-upload", "closed-message", "full", "closed-errors"],
)
def test_a_stream_that_is_closed_or_full_is_told(shell, code, says, platform):
    platform.put_file(b"1")
    found, _, said = ended(started(platform, shell=shell))
    assert (found, says in said) == (code, True), said


@requirement("C8")
def test_a_terminal_with_fewer_letters_shows_the_rest_escaped(platform):
    platform.put_file(b"1", name="ü☃.txt")
    code, out, _ = ended(started(platform, "list", PYTHONIOENCODING="latin-1"))
    assert (code, out.rstrip().endswith("\\u2603.txt")) == (Exit.DONE, True)


@requirement("C8")
def test_a_file_system_with_fewer_letters_gets_a_name_that_it_has(platform, folder):
    stored = platform.put_file(b"1", name="☃.txt")
    plain = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    assert ended(started(platform, "download", stored.file_id, **plain))[0] == Exit.DONE
    assert (folder / "_.txt").read_bytes() == b"1"


@requirement("C8", "C16")
@pytest.mark.parametrize(
    "arguments",
    [("upload", "source.bin"), ("download", "f0", "-o", "copy"), ("sync", "up", ".", "x")],
    ids=["upload", "download", "sync"],
)
def test_ctrl_c_ends_it_at_once_whatever_is_on_its_way(arguments, platform, source):
    platform.put_file(source.read_bytes())
    for number in range(3):
        Path(f"{number}.bin").write_bytes(source.read_bytes())
    # At this pace none of them would end within a day
    process = started(platform, "--limit-rate", "1", *arguments)
    while not any(
        "/store/" in path or "/content" in path or "/parts" in path for _, path in list(platform.requests)
    ):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)  # the stand-in shares this process
    process.send_signal(signal.SIGINT)
    code, _, said = ended(process)
    assert (code, "Give the same command again" in said) == (Exit.INTERRUPTED, True)
    assert not Path("copy").exists()


@requirement("C8", "I8")
@pytest.mark.parametrize(
    "text",
    ["profile = 'a'\nprofiles = [1]\n", "profile = 'a'\n[profiles.a]\nurl = 'http://x'\nkey.command = ''\n"],
    ids=["profiles-list", "empty-command"],
)
def test_a_file_of_profiles_that_says_something_else_is_refused(text, run, tmp_path, monkeypatch):
    monkeypatch.delenv("QKD_API_KEY")
    (tmp_path / "config" / "qkdclient").mkdir(parents=True)
    (tmp_path / "config" / "qkdclient" / "config.toml").write_text(text)
    assert run("whoami")[0] == Exit.USAGE


@requirement("C8")
@pytest.mark.parametrize(
    "arguments", [("upload", "source.bin"), ("sync", "up", ".", "x")], ids=["upload", "sync"]
)
def test_no_place_for_the_state_says_what_to_set(arguments, run, source, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(source))  # a file: nothing can be made below it
    code, _, said = run(*arguments)
    assert (code, "Set XDG_STATE_HOME" in said) == (Exit.FAILED, True)


@requirement("C8")
def test_a_user_without_a_home_is_told_what_to_set(run, source, monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    monkeypatch.delenv("XDG_STATE_HOME")
    code, _, said = run("upload", "source.bin")
    assert (code, "Set HOME" in said) == (Exit.USAGE, True)


def answering(monkeypatch, answer):
    """Whatever is asked, a server in between answers this."""
    import urllib3

    def request(*_, **__):
        return urllib3.HTTPResponse(io.BytesIO(answer[0]), headers=answer[1], status=answer[2])

    monkeypatch.setattr("urllib3.PoolManager.request", request)


@requirement("C8", "I8")
@pytest.mark.parametrize(
    "document", [b"{}", b"[]", b"null", b'"x"', b'{"items": [{}], "next": null}'], ids=str
)
def test_a_server_in_between_that_answers_something_in_json_is_named(document, monkeypatch, run):
    answering(monkeypatch, (document, {}, 200))
    code, _, said = run("list")
    assert (code, "not as the platform does" in said) == (Exit.UNREACHABLE, True)


@requirement("C8", "I8")
@pytest.mark.parametrize(
    "header",
    [{}, {"Content-Range": "bytes 0-0/*"}, {"Content-Range": "bytes 5-5/9"}, {"Content-Range": "x"}],
    ids=str,
)
def test_a_range_that_is_not_the_one_is_not_taken(header, monkeypatch):
    answering(monkeypatch, (b"x", header, 206))
    with pytest.raises(Unreachable, match="other bytes"):
        Api("http://127.0.0.1:1", "key").content("files/x/content", start=0, stop=1)


@requirement("C8")
@pytest.mark.parametrize(
    "kept",
    ["[]", "{}", '{"known": {"a": {"more": 1}}, "outdated": {}}', '{"known": [], "outdated": []}', "{"],
)
def test_what_another_version_kept_of_a_folder_is_compared_again(kept, tmp_path, folder):
    names = {"server": "http://x", "api_key": "key"}
    with synced(folder, "x", **names):
        pass
    [file] = (tmp_path / "state" / "qkdclient" / "sync").glob("*.json")
    file.write_text(kept)
    with synced(folder, "x", **names) as state:
        assert state.paths() == []


@requirement("C8", "I4")
def test_names_there_that_are_one_here_do_not_take_each_others_place(client, platform, folder):
    for number, name in enumerate(["x/a\x01", "x/a\x02", "x/b"]):
        platform.put_file(b"%d" % number, source_path=name)
    for overwrite in (False, True, True):
        report = client.sync.down("x", overwrite=overwrite)
        assert list(report.failed) == ["a\x02"]
        assert (folder / "x" / "a_").read_bytes() == b"0"


@requirement("C8", "I4")
@pytest.mark.parametrize("options", [{}, {"overwrite": True}], ids=["plain", "overwrite"])
@pytest.mark.parametrize("content", [b"1", b"2"], ids=["renamed", "another"])
def test_what_is_no_longer_there_does_not_take_its_successor_of_one_name_here_along(
    content, options, client, platform, folder
):
    before = platform.put_file(b"1", source_path="x/a\x02")
    client.sync.down("x")
    del platform.files[before.file_id]
    platform.put_file(content, source_path="x/a\x01")
    for _ in range(2):
        assert client.sync.down("x", delete=True, **options).failed == {}
        assert (folder / "x" / "a_").read_bytes() == content


@requirement("C8")
def test_a_folder_without_a_name_needs_one(client):
    with pytest.raises(Unfit, match="Give one"):
        client.sync.up("/")


@requirement("C8", "I8")
def test_an_error_of_the_system_names_what_and_why(run, platform, source):
    stored = platform.put_file(b"1")
    _, _, said = run("download", stored.file_id, "-o", "source.bin/")
    assert said == "source.bin: File exists\n"
    (source.parent / "x").mkdir()
    platform.put_file(b"1", source_path="y/source.bin/z")
    _, out, _ = run("sync", "down", "y", ".", "--json")
    assert "Errno" not in json.loads(out)["error"]


@requirement("C8")
def test_a_file_that_goes_during_a_run_stops_no_other(client, platform, folder, monkeypatch):
    for name in "abc":
        (folder / name).write_bytes(name.encode())
    monkeypatch.setattr("qkdclient.sync.files_in", _and_then_remove("b"))
    report = client.sync.up(folder, "x")
    assert (sorted(report.sent), list(report.failed)) == (["a", "c"], ["b"])


def _and_then_remove(name):
    from qkdclient.folders import files_in

    def found(folder, exclude):
        yield from files_in(folder, exclude)
        Path(folder, name).unlink()

    return found


@requirement("C8")
def test_links_that_go_round_are_left_out(client, folder):
    (folder / "t" / "sub").mkdir(parents=True)
    (folder / "t" / "a").write_bytes(b"1")
    (folder / "t" / "sub" / "up").symlink_to("..")
    (folder / "t" / "loop").symlink_to("loop")
    assert client.sync.up("t").sent == ["a"]


@requirement("C8")
def test_names_that_differ_in_case_only_are_two_files(client, folder):
    (folder / "t").mkdir()
    for name in ("A", "a"):
        (folder / "t" / name).write_bytes(name.encode())
    client.sync.up("t")
    client.sync.down("t", "copy")
    assert {file.name: file.read_bytes() for file in (folder / "copy").iterdir()} == {"A": b"A", "a": b"a"}


@requirement("C8")
def test_a_key_of_the_library_is_checked_too():
    with pytest.raises(ClientError, match="Copy it again"):
        Client("http://127.0.0.1:1", "a\nb")


@requirement("C8")
@pytest.mark.parametrize("command", ["get", "keep", "digest", "delete"])
def test_whatever_a_command_of_files_answers_is_shown(command, run, platform, folder):
    """`keep` wrote its files and ended in a traceback: what it answers is no file."""
    platform.put_file(b"1")
    code, out, said = run("files", command, "f0")
    assert (code, bool(out), said) == (Exit.DONE, True, "")
