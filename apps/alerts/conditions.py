"""The one table: which condition, how urgent, what to do. Who is told follows from the urgency.

Most conditions are entries of the trail; ``WAITING`` is what the apps declare in ``stuck.py``, and ``QUOTA_NEAR`` is
looked for by the sweep.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from apps.alerts.records import Urgency
from apps.audit.records import Entry, Outcome

TOLD = {
    Urgency.CRITICAL: "the topic, at once and in quiet hours too; once more, as escalated, where nobody acknowledges it",
    Urgency.WARNING: "the topic, after quiet hours",
    Urgency.INFO: "the topic, after quiet hours",
}


APART = 20  # open alerts of one condition; what else is noticed of it is one alert: a lost bucket is no flood of mail
MANY = "many others"  # what an alert is about where one for each would bury the rest; no id has a space


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that somebody has to know."""

    name: str
    urgency: Urgency
    text: str
    action: str
    events: tuple[str, ...] = ()  # of the trail


COMPROMISED = Condition(
    "link-compromised",
    Urgency.CRITICAL,
    "An eavesdropper was detected on a link",
    "Open the case, look at what used the link's keys, and stop using the link until it is understood.",
    ("case.opened, critical",),
)
ANOMALY = Condition(
    "link-anomalous",
    Urgency.WARNING,
    "A link does not behave as before",
    "Open the case and look at its findings; a fibre or a detector may be at fault.",
    ("case.opened, warning",),
)
STOCK_LOW = Condition(
    "stock-low",
    Urgency.WARNING,
    "The stock of quantum keys is low",
    "Look whether the refill runs, and at the links' key rates.",
    ("stock.low",),
)
KEY_UNUSABLE = Condition(
    "session-key-unusable",
    Urgency.CRITICAL,
    "A session's key does not unwrap",
    "Look whether the root key is the right one: manage.py root_key status.",
    ("stock.withdrawn",),
)
TAMPERED = Condition(
    "trail-tampered",
    Urgency.CRITICAL,
    "The audit trail or records were tampered with",
    "manage.py verify_audit --records names what; keep the tables as they are, and call the auditor.",
    ("audit.verified, failed",),
)
DAMAGED = Condition(
    "file-damaged",
    Urgency.CRITICAL,
    "A file's body is damaged or missing",
    "Restore the object's version before, or the file from its owner.",
    ("file.damaged", "body.missing"),
)
KEYS_DIFFER = Condition(
    "keys-differ",
    Urgency.CRITICAL,
    "The other site gave out a key that is another here",
    "Find out whose rows were changed or restored, with manage.py verify_audit --records at both sites; the sessions of the key are revoked.",
    ("delivery.differs",),
)
ROOT_KEY_LOST = Condition(
    "root-key-lost",
    Urgency.CRITICAL,
    "A root key was given up as lost",
    "Make sure that this was intended; recover with the officers' shares.",
    ("canary.root_key_lost",),
)
RECOVERED = Condition(
    "recovery-used",
    Urgency.CRITICAL,
    "The recovery key was used",
    "Make sure that the officers know of it.",
    ("recovery.used",),
)
SIGN_IN_ATTACK = Condition(
    "sign-in-attack",
    Urgency.WARNING,
    "Many sign-ins or API keys of one source are refused",
    "Block the source at the firewall; look whether one of them succeeded.",
    ("sign_in.refused", "api_key.refused"),
)
EXPIRING = Condition(
    "credential-expiring",
    Urgency.WARNING,
    "An API key or a certificate ends soon",
    "Issue another API key, or have the certificate renewed and tell it; then end the alert.",
    ("api_key.expiring", "certificate.expiring"),
)
QUOTA_NEAR = Condition(
    "quota-near",
    Urgency.WARNING,
    "A principal has used most of what it may in a month",
    "Ask whose it is; allow more where that is meant (PATCH /api/v1/principals/{id}), or acknowledge it: it is refused once all is used. It ends with the month.",
)
WAITING = Condition(
    "waiting",
    Urgency.WARNING,
    "Something does not get on by itself",
    "manage.py stuck says what to do about each.",
)
TEST = Condition("test", Urgency.INFO, "This is a test", "Nothing; somebody tries whether alerts arrive.")
CONDITIONS = (
    COMPROMISED,
    ANOMALY,
    STOCK_LOW,
    KEY_UNUSABLE,
    TAMPERED,
    DAMAGED,
    KEYS_DIFFER,
    ROOT_KEY_LOST,
    RECOVERED,
    SIGN_IN_ATTACK,
    EXPIRING,
    QUOTA_NEAR,
    WAITING,
    TEST,
)


@dataclass(frozen=True, slots=True)
class Noticed:
    """A condition that holds about something: a link, a file, a source."""

    condition: Condition
    about: str
    detail: Mapping[str, Any] = field(default_factory=dict)  # ids and numbers, never a secret


def of_entry(entry: Entry) -> Noticed | None:
    """What an entry of the trail tells that somebody has to know; None for most."""
    found = _condition_of(entry)
    if found is None:
        return None
    ids = {"session_id": entry.session_id, "file_id": entry.file_id, "key_id": entry.key_id}
    told = {name: value for name, value in ids.items() if value}
    told |= {
        name: entry.detail[name]
        for name in ("case_id", "problems", "count", "request_id", "principal", "expires_at", "ends")
        if name in entry.detail
    }
    return Noticed(found, _about(entry), told | {"entry": f"{entry.chain}-{entry.sequence}"})


def _condition_of(entry: Entry) -> Condition | None:
    event, detail = entry.event, entry.detail
    if event == "case.opened":
        return {"critical": COMPROMISED, "warning": ANOMALY}.get(str(detail.get("severity")))
    if event == "audit.verified":
        return TAMPERED if entry.outcome is Outcome.FAILED else None
    if event in SIGN_IN_ATTACK.events:
        count = detail.get("count", 1)
        many = isinstance(count, int | float) and count >= settings.ALERT_REFUSALS
        return SIGN_IN_ATTACK if many else None
    return next((one for one in CONDITIONS if event in one.events), None)


def _about(entry: Entry) -> str:
    """What an alert is about: the same thing noticed again is the same alert."""
    if entry.event in ("case.opened", *KEYS_DIFFER.events):
        return str(entry.detail.get("link", "unknown"))
    if entry.event in SIGN_IN_ATTACK.events:
        return str(entry.detail.get("source") or entry.source_ip or "unknown")
    if entry.event in EXPIRING.events:
        named = ("api_key", "sae", "client")
        return next((f"{name} {entry.detail[name]}" for name in named if name in entry.detail), "unknown")
    return str(entry.file_id or entry.session_id or "platform") if entry.event != "stock.low" else "stock"


def page() -> str:
    """Write the page of alerts."""
    rows = "".join(
        f"| `{one.name}` | {one.urgency} | {one.text} | {', '.join(f'`{event}`' for event in one.events) or 'a check'} | {one.action} |\n"
        for one in CONDITIONS
    )
    told = "".join(f"| {urgency} | {who} |\n" for urgency, who in TOLD.items())
    return (
        "# Alerts\n\n"
        "What somebody has to know: which condition, how urgent, what to do. Made from `apps/alerts/conditions.py` by"
        " `manage.py pages`; a test compares.\n\n"
        "| Condition | Urgency | Says | Noticed by | What to do |\n| --- | --- | --- | --- | --- |\n"
        f"{rows}\n| Urgency | Who is told |\n| --- | --- |\n{told}\n"
        "The topic is `ALERT_TOPIC_ARN` (SNS); mail, webhooks and pagers are its subscriptions, each of which may filter by"
        " the attributes `severity` and `condition`. Escalations go to `ALERT_ESCALATION_TOPIC_ARN` where that is set. The"
        " same condition about the same thing is one alert, sent once until it is over; `times` counts. Where"
        f" {APART} of a condition are open, all that is noticed of it besides is one alert, about `{MANY}`. A message holds ids"
        " and numbers, never a secret. `POST /api/v1/alert-tests` tries the way.\n"
    )
