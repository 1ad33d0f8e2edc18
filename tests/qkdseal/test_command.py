"""The exit route: a file, its envelope and its two keys, exported and kept offline, are enough."""

import base64
import json
import os
from pathlib import Path

import pytest

from qkdseal import Header, PassphraseFactor, Suite, encrypt_stream, generate_key_pair, seal, seal_secret
from qkdseal.__main__ import main
from tests import requirement

CONTENT = os.urandom(100_000)
INFO = b"qkdplatform pool key export v1\x00suite\x00pk-1"
OPEN = ["open", "body", "--envelope", "envelope.json", "--pool-key", "pool-key.json"]
OPEN += ["--quantum-key", "quantum-key.json", "-o", "report.pdf"]


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def keep(passphrase: str | None = None, suite: Suite = Suite.XWING) -> None:
    """What was kept: the body and the envelope; and of the keys what an export brings."""
    pool_key, quantum_key = generate_key_pair(suite), os.urandom(32)
    factor = None if passphrase is None else PassphraseFactor()
    header = Header.of(file_id="f-1", quantum_key_id="s-1.0", passphrase=factor)
    envelope, file_key = seal(
        header,
        pool_key_id="pk-1",
        pool_public_key=pool_key.public_key,
        pool_suite=suite,
        quantum_key=quantum_key,
        passphrase=passphrase,
    )
    Path("plain").write_bytes(CONTENT)
    with Path("plain").open("rb") as source, Path("body").open("wb") as body:
        encrypt_stream(source, body, key=file_key, context=header.digest())
    Path("plain").unlink()
    Path("envelope.json").write_bytes(envelope.to_bytes())
    Path("quantum-key.json").write_text(json.dumps({"key_id": "s-1.0", "key": text(quantum_key)}))
    export(pool_key.seed, suite)


def export(seed: bytes, suite: Suite) -> None:
    """As the platform exports a pool key's seed, under four eyes, to a recipient."""
    assert main(["recipient", "-o", "me.json"]) == 0
    me = json.loads(Path("me.json").read_text())
    sealed = seal_secret(
        seed, suite=Suite(me["suite"]), public_key=base64.b64decode(me["public_key"]), info=INFO
    )
    answer = {
        "key_id": "pk-1",
        "suite": suite.value,
        "recipient_suite": me["suite"],
        "sealed_seed": text(sealed),
        "info": text(INFO),
    }
    Path("export.json").write_text(json.dumps(answer))
    assert main(["open-export", "export.json", "--recipient", "me.json", "-o", "pool-key.json"]) == 0


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@requirement("C2", "H1")
@pytest.mark.parametrize("suite", [suite for suite in Suite if suite.seals])
def test_what_was_kept_is_opened_without_the_platform(suite, tmp_path):
    keep(suite=suite)
    assert main(OPEN) == 0
    assert Path("report.pdf").read_bytes() == CONTENT
    secret = ("me.json", "pool-key.json", "report.pdf")
    assert {Path(name).stat().st_mode & 0o777 for name in secret} == {0o600}


@requirement("C4")
def test_a_passphrase_is_needed(monkeypatch, capsys):
    keep(passphrase="correct horse")
    monkeypatch.setenv("QKD_PASSPHRASE", "wrong horse")
    assert main([*OPEN, "--passphrase"]) == 1
    assert "wrong passphrase" in capsys.readouterr().err
    assert not list(Path().glob("report.pdf*"))
    monkeypatch.setenv("QKD_PASSPHRASE", "correct horse")
    assert main([*OPEN, "--passphrase"]) == 0
    assert Path("report.pdf").read_bytes() == CONTENT


@requirement("C2")
@pytest.mark.parametrize("name", ["body", "envelope.json", "pool-key.json", "quantum-key.json"])
def test_what_was_changed_leaves_no_file(name, capsys):
    keep()
    kept = Path(name).read_bytes()
    middle = len(kept) // 2
    Path(name).write_bytes(kept[:middle] + bytes([kept[middle] ^ 1]) + kept[middle + 1 :])
    assert main(OPEN) == 1
    assert capsys.readouterr().err
    assert not list(Path().glob("report.pdf*"))


@requirement("C2")
def test_an_export_for_somebody_else_does_not_open(capsys):
    keep()
    assert main(["recipient", "-o", "other.json"]) == 0
    assert main(["open-export", "export.json", "--recipient", "other.json", "-o", "x.json"]) == 1
    assert "another recipient" in capsys.readouterr().err
    assert not Path("x.json").exists()


@requirement("C2")
def test_nothing_is_overwritten(capsys):
    keep()
    Path("report.pdf").write_text("mine")
    assert main(OPEN) == 1
    assert Path("report.pdf").read_text() == "mine"
    assert main(["recipient", "-o", "me.json"]) == 1


@requirement("C2")
@pytest.mark.parametrize("document", ["[]", "{}", "no json", '{"seed": "?"}', "\xff"])
def test_a_document_that_says_something_else_is_refused(document, capsys):
    keep()
    Path("pool-key.json").write_text(document)
    assert main(OPEN) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert main([*OPEN[:1], "missing", *OPEN[2:]]) == 1
