"""Files of reports are downloaded, and compared with the digests that their report names."""

import hashlib
import json
import os

import pytest

from qkdclient import Damaged, Exists, Exit, Problem
from tests import requirement

DAYS = {"2026-11-01.csv": b"a,b\n" * 20_000, "summary.json": b"{}"}


@pytest.fixture
def report(platform, monkeypatch):
    """A report with two files, and one that only its index names; what of it the store gives."""
    content = {**DAYS, "2026-11-02.csv": b"c,d\n"}
    content["files.json"] = json.dumps(
        {"files": {name: told(data) for name, data in content.items()}}
    ).encode()
    named = {name: told(data) for name, data in content.items() if name != "2026-11-02.csv"}
    otherwise = platform.answer

    def answer(method, path, headers, body):
        place = path.removeprefix("/api/v1/").split("/")
        if (method, place) == ("GET", ["reports", "r1"]):
            return 200, {"report_id": "r1", "files": named}, {}
        if method == "POST" and place[:3] == ["reports", "r1", "files"]:
            return 201, {"url": f"{platform.url}/report/{place[3]}"}, {}
        if path.startswith("/report/"):
            start = int(headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
            return 206, content[path.rpartition("/")[2]][start:], {}
        return otherwise(method, path, headers, body)

    monkeypatch.setattr(platform, "answer", answer)
    return content


def told(data):
    return {"key": "k", "sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


@requirement("C8", "D6")
@pytest.mark.parametrize("name", ["2026-11-01.csv", "2026-11-02.csv"], ids=["named", "of-the-index"])
def test_a_file_of_a_report_comes_whole_and_for_its_owner_only(name, client, platform, report, folder):
    platform.lose("GET", "/report/2026-11-0", "half")
    path = client.reports.get_file("r1", name)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (report[name], 0o600)
    assert os.listdir(folder) == [name]  # noqa: PTH208 - hidden parts too


@requirement("C8")
def test_nothing_is_overwritten_that_nobody_named(client, report, folder):
    (folder / "summary.json").write_bytes(b"mine")
    with pytest.raises(Exists):
        client.reports.get_file("r1", "summary.json")
    assert (folder / "summary.json").read_bytes() == b"mine"
    client.reports.get_file("r1", "summary.json", overwrite=True)
    assert (folder / "summary.json").read_bytes() == b"{}"
    assert client.reports.get_file("r1", "summary.json", "new/").read_bytes() == b"{}"


@requirement("C8", "I4")
@pytest.mark.parametrize("name", ["2026-11-01.csv", "2026-11-02.csv", "files.json"])
def test_what_is_not_what_the_report_names_leaves_no_file(name, client, report, folder):
    report[name] = report[name][:-1] + b"!"
    with pytest.raises(Damaged):
        client.reports.get_file("r1", name)
    assert os.listdir(folder) == []  # noqa: PTH208 - hidden parts too


@requirement("C8", "I8")
def test_a_file_that_the_report_has_not_is_told(client, report):
    with pytest.raises(Problem, match="reports get"):
        client.reports.get_file("r1", "../x")


@requirement("C8")
def test_the_command_downloads_it(run, report, folder):
    code, out, _ = run("reports", "get-file", "r1", "summary.json", "-o", "here.json", "--json")
    assert (code, json.loads(out)["path"]) == (Exit.DONE, "here.json")
    assert (folder / "here.json").read_bytes() == b"{}"
    assert run("reports", "get-file", "r1", "summary.json", "-o", "-")[:2] == (Exit.DONE, "{}")
