"""Root keys and the recovery key at the console."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.common.root_keys import configured
from apps.custody import approvals, rootkeys, tasks
from apps.jobs import services as jobs
from apps.jobs.records import JobState
from apps.keys import recovery_seal
from apps.keys import services as keys
from qkdseal import kem
from tests import requirement
from tests.console.demo import ALICE
from tests.console.pages import ROOT_KEYS, ids, send

pytestmark = requirement("C8", "C12", "F2")


@pytest.fixture
def own_root(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, aws: None) -> Any:
    """A root key of this test alone."""
    monkeypatch.setattr(settings, "ROOT_KEY", f"local:{tmp_path / 'root.key'}")
    configured.root_key.cache_clear()
    yield
    configured.root_key.cache_clear()


def test_a_root_key_is_rotated_by_a_job_and_the_older_one_retired(
    own_root: None, console: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.create(2, actor=ALICE)
    first = ids(console.get(ROOT_KEYS))
    assert len(first) == 1
    send(console, f"{ROOT_KEYS}rotate/")
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.rotate_root(job.job_id)
    found = jobs.find(job.job_id, actor=ALICE)
    assert (found.state, found.results) == (JobState.SUCCEEDED, {"rewrapped": 2})
    shown = ids(console.get(ROOT_KEYS))
    assert shown[1:] == first
    assert rootkeys.status()[0].pool_keys == 2
    early = send(console, f"{ROOT_KEYS}retire/")
    assert b"Try again in a minute" in early.content
    monkeypatch.setattr(rootkeys, "SETTLE_SECONDS", 0)
    assert send(console, f"{ROOT_KEYS}retire/").status_code == 302
    assert ids(console.get(ROOT_KEYS)) == shown[:1]
    assert b"no older root key" in send(console, f"{ROOT_KEYS}retire/").content


def test_the_recovery_key_is_sealed_to_and_asked_for(
    console: Client, monkeypatch: pytest.MonkeyPatch, admitted_admin: None
) -> None:
    page = "/admin/page/recovery/"
    assert b"none is configured" in console.get(page).content
    refused = send(console, f"{ROOT_KEYS}seal/")
    assert b"No recovery key is configured" in refused.content
    keys.create(2, actor=ALICE)
    pair = kem.generate_key_pair(recovery_seal.SUITE)
    monkeypatch.setattr(settings, "RECOVERY_PUBLIC_KEY", base64.b64encode(pair.public_key).decode())
    html = console.get(page).content.decode()
    assert recovery_seal.id_of(pair.public_key) in html
    send(console, f"{ROOT_KEYS}seal/")
    job = jobs.listed(actor=ALICE, limit=1).records[0]
    tasks.seal_secrets(job.job_id)
    found = jobs.find(job.job_id, actor=ALICE)
    assert found.results == {"sealed": 2, "sealed_before": 0, "failed": {}}
    send(console, f"{ROOT_KEYS}recover/", reason="the root key is gone")
    asked = approvals.approvals_page(limit=1).records[0]
    assert (asked.action, asked.reason) == ("recover", "the root key is gone")


def test_only_administrators_replace_root_keys(person: Callable[..., Client]) -> None:
    client = person("custody.view_rootkey")
    assert b"Rotate the root key" not in client.get(ROOT_KEYS).content
    assert b"Ask for its use" not in client.get("/admin/page/recovery/").content
    for name in ("rotate", "retire", "seal", "recover"):
        assert client.get(f"{ROOT_KEYS}{name}/").status_code == 403
        assert client.post(f"{ROOT_KEYS}{name}/", {"once": "x"}).status_code == 403
