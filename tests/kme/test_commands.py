"""Certificates to try it out, and applications by command (E10)."""

import logging
import stat
import threading
from io import StringIO

import pytest
from cryptography import x509
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.kme import saes
from apps.kme.management.commands.run_link import Command
from apps.kme.sites import agreeing, running
from tests import requirement


def run(*words: str) -> str:
    out = StringIO()
    call_command(*words, stdout=out)
    return out.getvalue()


@requirement("E10", "I2")
def test_certificates_are_made_once_and_their_keys_are_private(tmp_path):
    folder = tmp_path / "kme"
    run("kme_certificates", "sae-alice", "sae-bob", "--folder", str(folder))
    made = sorted(path.name for path in folder.iterdir())
    assert made == [
        "ca.key", "ca.pem", "kme.key", "kme.pem", "revoked.pem", "sae-alice.key", "sae-alice.pem", "sae-bob.key", "sae-bob.pem",
    ]  # fmt: skip
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("*.key")} == {0o600}
    before = (folder / "ca.pem").read_bytes(), (folder / "kme.pem").read_bytes()
    run("kme_certificates", "sae-carol", "--folder", str(folder))
    assert ((folder / "ca.pem").read_bytes(), (folder / "kme.pem").read_bytes()) == before
    run("kme_certificates", "--revoke", "sae-bob", "--revoke", "sae-carol", "--folder", str(folder))
    listed = x509.load_pem_x509_crl((folder / "revoked.pem").read_bytes())
    wanted = {
        x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        for name in ("sae-bob", "sae-carol")
    }
    assert {one.serial_number for one in listed} == {one.serial_number for one in wanted}


@requirement("E10")
@pytest.mark.parametrize("name", ["ca", "kme", "../x", "a b", ""])
def test_a_name_that_no_application_can_have_gets_no_certificate(tmp_path, name):
    with pytest.raises(CommandError):
        run("kme_certificates", name, "--folder", str(tmp_path))
    with pytest.raises(CommandError):
        run("kme_certificates", "--revoke", "nobody", "--folder", str(tmp_path))


@requirement("E10")
def test_applications_are_registered_listed_and_revoked_by_command(aws, tmp_path):
    run("kme_certificates", "sae-alice", "--folder", str(tmp_path))
    told = run("sae", "register", str(tmp_path / "sae-alice.pem"), "--peer", "sae-bob", "--keys-a-day", "10")
    assert "sae-alice is registered as service:" in told
    assert saes.find("sae-alice").keys_a_day == 10
    assert "asks for sae-bob" in run("sae", "list")
    assert "revoked" in run("sae", "revoke", "sae-alice", "--reason", "x")
    with pytest.raises(CommandError, match="already"):
        run("sae", "revoke", "sae-alice", "--reason", "x")


@requirement("E10")
def test_a_kme_without_certificates_says_how_to_make_them(tmp_path):
    with pytest.raises(CommandError, match="kme_certificates"):
        run("run_kme", "--folder", str(tmp_path), "--port", "0")


@requirement("E10", "C6")
def test_alices_agreeing_goes_on_after_errors_that_nobody_foresaw_and_tells_each(monkeypatch, caplog):
    """Its thread ended, and the sites agreed by the schedule alone."""
    command, tries = Command(), []
    command._ends = threading.Event()

    def agree(link):
        tries.append(link)
        if len(tries) < 3:
            raise RuntimeError("unforeseen")
        command._ends.set()

    monkeypatch.setattr(running, "find", lambda link_id: link_id)
    monkeypatch.setattr(agreeing, "agree", agree)
    command._agree("metro", 0.0)
    assert tries == ["metro"] * 3
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
    assert told == ["link metro: the sites do not agree, tried again in 0 s"] * 2
