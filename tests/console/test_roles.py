"""Every page, in process, as each ready role: what is shown can be opened, and nothing is an error."""

import json
import logging
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.access import ready_roles
from apps.access.models import User
from apps.access.roles import Role
from apps.audit.services import transaction
from apps.common import clock
from apps.common.aws import client as aws_client
from apps.kme import saes
from apps.reports.records import Report
from apps.reports.store import ReportTable
from apps.reports.trail import ReportEvent
from tests import requirement
from tests.console.demo import ALICE, Demo
from tests.console.pages import LISTS, OTHERS, crawled, kind_of
from tests.console.test_lists import destruction_asked

pytestmark = requirement("F6", "I9")
NO_PAGES = {"admin:logout", "admin:jsi18n"}
# What each role is for, and may open at least; of an auditor that nothing changes
OPENS = {
    Role.VIEWER: {
        "admin:keys_poolkey_changelist",
        "admin:operations_letter_changelist",
        "admin:kme_sae_changelist",
    },
    Role.CLIENT: {"admin:files_file_upload", "admin:jobs_job_changelist"},
    Role.OPERATOR: {"admin:operations_letter_redrive", "admin:links_link_make", "admin:keys_pool_settings"},
    Role.AUDITOR: {"admin:audit_entry_verify", "admin:reports_report_make"},
    Role.ADMINISTRATOR: {
        "admin:custody_rootkey_rotate",
        "admin:access_user_changelist",
        "admin:reports_report_read",
    },
}
KEPT_FROM = {
    Role.VIEWER: {"admin:keys_poolkey_do", "admin:keys_pool_make", "admin:operations_letter_redrive"},
    Role.CLIENT: {"admin:keys_poolkey_changelist", "admin:audit_entry_changelist"},
    Role.OPERATOR: {"admin:custody_rootkey_rotate", "admin:access_user_add"},
    Role.AUDITOR: {"admin:keys_poolkey_do", "admin:files_file_upload", "admin:operations_schedule_do"},
    Role.ADMINISTRATOR: set(),
}


@pytest.fixture
def everything(filled: Demo, db: None) -> Demo:
    """A record in every list."""
    destruction_asked(filled)
    aws_client("sqs").create_queue(QueueName=settings.UPLOAD_EVENTS_QUEUE)
    url = aws_client("sqs").get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    aws_client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"requestPayload": {}}))
    saes.register("sae-alice", name="Encryptor", subject="CN=sae-alice", peers=["sae-bob"], actor=ALICE)
    told = {"key": "reports/r/summary.json", "sha256": "0" * 64, "size": 5}
    moment = clock.now()
    report = Report(
        "2026-10-01-to-2026-10-31-0123abcd", moment, moment, moment, str(ALICE), 5, {"summary.json": told}
    )
    with transaction(ALICE) as tx:
        tx.put(ReportTable.of(report))
        tx.audit(ReportEvent.MADE, report_id=report.report_id)
    ready_roles.sync()
    return filled


def as_role(role: Role) -> Client:
    """Sign in as somebody in a ready role."""
    user = User.objects.create_user(f"a {role}", is_staff=True)
    ready_roles.put_into(user, role)
    client = Client()
    client.force_login(user)
    return client


def test_each_role_opens_what_it_is_shown_and_is_kept_from_the_rest(
    everything: Demo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "django.request")  # hundreds of refusals, each with its traceback
    opened: dict[Role, dict[Any, str]] = {}
    clients, wrong = {role: as_role(role) for role in Role}, []
    for role, client in clients.items():
        opened[role] = {}
        for address, page in crawled(client, of_a_kind=1):
            if page.status_code != 200:
                wrong.append(f"{role} is shown a way to {address}, which is {page.status_code}")
            opened[role][kind_of(address)] = address
    assert not wrong, "\n".join(wrong)
    every = {
        kind: address
        for found in opened.values()
        for kind, address in found.items()
        if kind[0] not in NO_PAGES
    }
    for role, client in clients.items():
        answers = {
            kind: client.get(address).status_code
            for kind, address in every.items()
            if kind not in opened[role]
        }
        assert set(answers.values()) <= {200, 302, 403, 404}, (role, answers)
        names = {kind[0] for kind in opened[role]} | {
            kind[0] for kind, status in answers.items() if status == 200
        }
        assert names >= OPENS[role], (role, OPENS[role] - names)
        assert not names & KEPT_FROM[role], (role, names & KEPT_FROM[role])


def test_every_list_has_a_record_of_which_the_page_opens(console: Client, everything: Demo) -> None:
    """So that the roles are tried on them."""
    for url in (*LISTS.values(), *OTHERS.values()):
        page = console.get(url)
        shown = page.context["cl"].result_list
        assert page.status_code == 200
        if url.endswith("/alert/"):
            continue
        assert shown, url
        assert console.get(f"{url}{shown[0].pk}/change/").status_code == 200, url
