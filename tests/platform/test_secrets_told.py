"""Canary secrets go through every operation, and no part of one, however spelled, is in anything that leaves (I2, A8).

Searched: the log with its ids and spans, metrics in both forms, domain events as they are delivered, alerts, reports, the
SIEM's export, messages of the queues with their headers, entries of the trail. A part is any 16 bytes in a row, as they are
or in hexadecimal, or any 15 that base64 writes as 20 characters, at any offset.
"""

import base64
import gzip
import io
import json
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout, suppress
from datetime import timedelta

import pytest
from django.conf import settings as django_settings

from apps.access.roles import Role
from apps.audit.store import EntryTable
from apps.common import clock
from apps.common.aws import client
from apps.common.tracing import Plain, WithIds
from apps.custody import retirement
from apps.keys import services as keys
from apps.metrics import openmetrics, recording, sinks
from apps.reports import services as reports
from apps.reports import tasks as report_tasks
from qkdplatform.lambda_handler import handler
from tests import requirement
from tests.conftest import TESTS, Api
from tests.faults import Fault, injected
from tests.notices.test_notices import Receiver
from tests.platform.test_secrets import key_material, queued
from tests.queues import into
from tests.sessions.ready import ready
from tests.tables import everything
from tests.trail_stream import event, records
from tests.uploads import deliver, registered

WINDOW, CHARACTERS = 16, 20  # bytes; 15 bytes in base64
HEX = 2 * WINDOW


def parts(secrets: Iterable[bytes]) -> set[bytes]:
    """Every part of some secrets, in every spelling."""
    found: set[bytes] = set()
    for secret in secrets:
        for start in range(len(secret) - WINDOW + 1):
            window = secret[start : start + WINDOW]
            found |= {window, window.hex().encode(), base64.b64encode(window[:15])}
    return found


def found_in(text: bytes, secrets: set[bytes]) -> Iterator[bytes]:
    """Parts that stand in a text, whichever case hexadecimal is in, and whichever alphabet base64."""
    plain = text.replace(b"-", b"+").replace(b"_", b"/")
    for content, length in ((text, WINDOW), (text.lower(), HEX), (plain, CHARACTERS)):
        yield from secrets & {content[at : at + length] for at in range(len(content) - length + 1)}


@pytest.fixture
def receiver(aws, settings):
    settings.WEBHOOK_PRIVATE = True
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def lines(caplog):
    """Every line of the log as it is written, from the most talkative level on."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="moto")  # AWS's part in tests, which is sent what it stores
    written: list[str] = []

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    kept = Keeping()
    kept.addFilter(WithIds())
    kept.setFormatter(Plain("{levelname} {name}: {message}", style="{"))
    logging.getLogger().addHandler(kept)
    yield written
    logging.getLogger().removeHandler(kept)


def canary(kind: str) -> str:
    """A secret that somebody chose, unlike anything else."""
    return f"canary {kind} {os.urandom(24).hex()}"


def made_of_the_month(later, monkeypatch) -> None:
    """Have a report made of the days that are over."""
    ids: list[str] = []
    monkeypatch.setattr(report_tasks.compliance, "apply_async", into(ids))
    later(days=2)
    since = clock.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    reports.ask(since=since, until=since + timedelta(days=2), actor=TESTS)
    report_tasks.compliance(ids.pop())


def exported() -> Iterator[bytes]:
    """Every file of the exports' bucket, unpacked."""
    s3 = client("s3")
    for one in s3.list_objects_v2(Bucket=django_settings.EXPORTS_BUCKET).get("Contents", []):
        body = s3.get_object(Bucket=django_settings.EXPORTS_BUCKET, Key=one["Key"])["Body"].read()
        yield gzip.decompress(body) if one["Key"].endswith(".gz") else body


@requirement("I2", "A8", "B6", "B8", "D6")
def test_no_part_of_a_secret_is_in_anything_that_tells_of_the_work(
    receiver, settings, lines, later, monkeypatch, tmp_path
):
    settings.METRICS, settings.METRICS_FILE = "openmetrics", str(tmp_path / "metrics.sqlite3")
    settings.SIEM_EXPORT, settings.TRACES, settings.TRACE_SAMPLE = True, "log", 1.0
    settings.ALERT_TOPIC_ARN = client("sns").create_topic(Name="alerts")["TopicArn"]
    admin, api = Api(Role.ADMINISTRATOR), Api(Role.CLIENT)
    hook = admin.post(
        "webhooks", {"url": receiver.url, "types": ["file.encrypted", "session.judged", "case.opened"]}
    )
    passphrase, message, content = canary("passphrase"), canary("message"), canary("content")
    keys.create(2, actor=TESTS)
    ready(key_length=4096)
    handler(event(records()), None)  # followers begin
    sealed = api.post("encrypt", {"plaintext": message, "passphrase": passphrase, "context": "c"}).json()
    api.post("decrypt", sealed | {"passphrase": passphrase, "context": "c"})
    api.post("decrypt", sealed | {"passphrase": passphrase + "x", "context": "c"})
    data_key = api.post("data-keys", {})
    upload = registered(api, content.encode(), passphrase=passphrase)
    for operation in ("TransactWriteItems", "GetObject", "PutObject"):
        with injected(Fault.REFUSED, operation=operation), suppress(ExceptionGroup):
            handler(upload.event, None)
    deliver(upload.event)
    api.post("qkd/batches", {"count": 1, "key_length": 64})
    retirement.revoke(keys.pick().key_id, reason="x", actor=TESTS)
    api.call("GET", f"files/{upload.file_id}/content", **{"X-Passphrase": passphrase})
    api.post(
        "qkd/generate", {"key_length": 64, "eavesdropper": {"kind": "intercept_resend", "fraction": 1.0}}
    )
    handler(event(records()), None)
    made_of_the_month(later, monkeypatch)
    handler(event(records()), None)
    recording.flush()
    emf = io.StringIO()
    with redirect_stdout(emf):
        settings.METRICS = "emf"
        api.get("files")
        recording.flush()
    told = {
        "log": "\n".join(lines).encode(),
        "metrics": openmetrics.text(sinks.kept()).encode() + emf.getvalue().encode(),
        "notices": b"".join(json.dumps(headers).encode() + body for headers, body in receiver.got),
        "exports": b"\n".join(exported()),
        "queue": b"".join(queued(django_settings.JOBS_QUEUE)),
        "trail": json.dumps(everything(but=set())[EntryTable.Meta.table_name], default=str).encode(),
    }
    assert all(told.values()), {name: len(text) for name, text in told.items()}
    assert b"span {" in told["log"]
    chosen = [text.encode() for text in (passphrase, message, content)]
    shown = [
        hook.json()["secret"].encode(),
        admin.key.partition(".")[2].encode(),
        api.key.partition(".")[2].encode(),
    ]
    shown.append(base64.b64decode(data_key.json()["plaintext_base64"]))
    settled = [
        str(getattr(settings, name)).encode() for name in ("RECORD_KEY", "AUDIT_KEY", "API_KEY_PEPPER")
    ]
    secrets = parts([*key_material().values(), *chosen, *shown, *settled])
    assert len(secrets) > 1000
    leaked = {name: found for name, text in told.items() if (found := list(found_in(text, secrets))[:3])}
    assert leaked == {}


@requirement("I2")
def test_the_search_for_parts_would_find_them():
    secret = os.urandom(40)
    some = parts([secret])
    for told in (
        secret[7:23],
        secret[3:19].hex().upper().encode(),
        base64.b64encode(b"a" + secret),
        base64.urlsafe_b64encode(b"ab" + secret[9:]),
        b"x" * 1000 + secret[24:] + b"y",
    ):
        assert list(found_in(b"before " + told + b" after", some)), told
    assert not list(found_in(secret[:15] + b" " + os.urandom(500), some))
