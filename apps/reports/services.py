"""Compliance reports (D4): what was done in a period, by whom, what was refused, and how things stand.

Made by a job, a day at a time: each day's entries are files of their own, the sums so far are kept beside them, so that a
job that is interrupted goes on with the next day. Of what it says, the digests stand in the trail.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from apps.audit import archived
from apps.audit import services as audit
from apps.audit.records import Actor, Entry
from apps.audit.services import record, transaction
from apps.audit.verification import is_authentic
from apps.cases import services as cases
from apps.cases.records import CaseStatus
from apps.common import authenticated, clock
from apps.common.dynamodb import Page, Position, Span, pages
from apps.common.errors import Invalid
from apps.common.standstill import found as stuck
from apps.exports import bucket
from apps.jobs import services as jobs
from apps.jobs.records import Job
from apps.jobs.running import Work
from apps.keys import services as keys
from apps.reports import rendering, store
from apps.reports.job_kinds import ReportJob
from apps.reports.records import Files, Report, ReportNotFound, ReportUnsound
from apps.reports.store import ReportTable
from apps.reports.summing import Sums
from apps.reports.trail import ReportEvent

DAY = timedelta(days=1)
MOST_DAYS = 366
PAGE = 100
ENTRIES_A_FILE = 50_000  # what a worker holds in memory, with room
OPEN_CASES = 100
SUMMARY, PRINTED, INDEX = "summary.json", "report.html", "files.json"
HELD = (
    200  # files that a report's row holds itself: some 40 KB; of more, INDEX tells, as an item holds 400 KB
)
SEALED_AS = "report-progress"
UNSOUND = "What was kept of the report was changed outside of the platform. Ask for it again, and tell the operator."
TYPES = {
    "csv.gz": "application/gzip",
    "jsonl.gz": "application/gzip",
    "json": "application/json",
    "html": "text/html",
}


def ask(*, since: datetime, until: datetime, actor: Actor) -> Job:
    """Have a report made of the days from one on, until before another.

    Raises:
        Invalid: not whole days, none, more than a year, or not over yet.
        TooManyJobs: the actor has too many jobs.
    """
    since, until = _whole_day(since, "since"), _whole_day(until, "until")
    if not DAY <= until - since <= MOST_DAYS * DAY:
        raise Invalid.of("until", f"Between 1 and {MOST_DAYS} days after since.")
    if until > clock.now():
        raise Invalid.of("until", "The period has to be over.")
    parameters = {"since": clock.as_text(since), "until": clock.as_text(until)}
    return jobs.enqueue(ReportJob.COMPLIANCE, total=(until - since).days, parameters=parameters, actor=actor)


def _whole_day(moment: datetime, name: str) -> datetime:
    utc = moment.astimezone(UTC)
    if (utc.hour, utc.minute, utc.second, utc.microsecond) != (0, 0, 0, 0):
        raise Invalid.of(name, "Midnight in UTC: a report is of whole days.")
    return utc


def ask_monthly(*, actor: Actor) -> int:
    """Have the report of the last month made, once; returns whether that is under way."""
    until = clock.now().astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    since = (until - DAY).replace(day=1)
    job = jobs.enqueue_once(
        ReportJob.COMPLIANCE,
        job_id=f"report-{since:%Y-%m}",
        total=(until - since).days,
        parameters={"since": clock.as_text(since), "until": clock.as_text(until)},
        actor=actor,
    )
    return int(not job.state.ended)


def make(work: Work, *, actor: Actor) -> bool:
    """Work on a report for a while; return whether it is done."""
    since, until = (clock.from_text(str(work.job.parameters[name])) for name in ("since", "until"))
    report_id = _id_of(work.job.job_id, since, until)
    done = int(work.job.done)
    sums, files = _progress_after(report_id, done)
    while done < (until - since).days:
        day = since + done * DAY
        files |= _write_day(report_id, day, sums)
        done += 1
        _keep_progress(report_id, done, sums, files)
        work.report(done=done, results={"report_id": report_id})
        if work.must_hand_over:
            return False
    state = _state()
    files[SUMMARY] = _put(report_id, SUMMARY, _as_json({"sums": sums.as_document(), "state": state}))
    files[PRINTED] = _put(report_id, PRINTED, _printed(since, until, sums, state))
    files[INDEX] = _put(report_id, INDEX, _as_json({"files": files}))
    _keep(Report(report_id, since, until, clock.now(), work.job.owner, sums.entries, files), actor)
    return True


def _id_of(job_id: str, since: datetime, until: datetime) -> str:
    """Name a report by its period, and by its job: one that is asked for again is another."""
    mark = hashlib.sha256(job_id.encode()).hexdigest()[:8]
    return f"{since:%Y-%m-%d}-to-{until - DAY:%Y-%m-%d}-{mark}"


def _sums_name(days: int) -> str:
    """Name the file of the sums after so many days; those after one less stay, until it is noted that the day is done."""
    return f"sums-{days % 2}.json"


def _keep_progress(report_id: str, days: int, sums: Sums, files: Files) -> None:
    """Keep what was made until now, sealed: what is in the bucket between two days is no one else's to change."""
    told = json.dumps({"sums": sums.as_document(), "files": files}, sort_keys=True)
    seal = authenticated.make_tag(SEALED_AS, _sealed(report_id, days, told), revision=days)
    _put(report_id, _sums_name(days), _as_json({"told": told, "seal": seal}))


def _sealed(report_id: str, days: int, told: str) -> dict[str, dict[str, str]]:
    return {"report_id": {"S": report_id}, "days": {"N": str(days)}, "told": {"S": told}}


def _progress_after(report_id: str, days: int) -> tuple[Sums, Files]:
    """The sums and files of the days that are done.

    Raises:
        ReportUnsound: the platform did not write what is kept of them.
    """
    if not days:
        return Sums(), {}
    try:
        kept = json.loads(bucket.read(_key(report_id, _sums_name(days))))
        told, seal = str(kept["told"]), str(kept["seal"])
    except (ValueError, KeyError, TypeError) as error:
        raise ReportUnsound(UNSOUND) from error
    if not authenticated.is_authentic(SEALED_AS, _sealed(report_id, days, told), seal):
        raise ReportUnsound(UNSOUND)
    document = json.loads(told)
    return Sums.of(document["sums"]), document["files"]


def _write_day(report_id: str, day: datetime, sums: Sums) -> Files:
    """Write the entries of a day, so many to a file, and count them; returns the files."""
    files: Files = {}
    left = _entries_of(day)
    while entries := list(islice(left, ENTRIES_A_FILE)):
        for entry in entries:
            sums.add(entry)
        name = f"entries-{day:%Y-%m-%d}-{len(files) // 2:03d}"
        files[f"{name}.csv.gz"] = _put(report_id, f"{name}.csv.gz", rendering.as_csv(entries))
        files[f"{name}.jsonl.gz"] = _put(report_id, f"{name}.jsonl.gz", rendering.as_lines(entries))
    return files


def _entries_of(day: datetime) -> Iterator[Entry]:
    """The entries of a day that the platform wrote: those in the table, the latest first, then those in the archive.

    Others may move to the archive meanwhile, from the first of a chain on: so they lie below what the table had.
    """
    span, end = Span(day, day + DAY), archived.through()
    lowest: dict[str, int] = {}
    for page in pages(lambda at: audit.entries_page(limit=PAGE, position=at, span=span)):
        for entry in page.records:
            if is_authentic(entry) and entry.sequence > end.get(entry.chain, 0):
                lowest[entry.chain] = min(int(entry.sequence), lowest.get(entry.chain, int(entry.sequence)))
                yield entry
    yield from archived.entries_between(day, day + DAY, below=lowest)


def _state() -> dict[str, Any]:
    """How things stand when the report is made."""
    open_cases = [
        case.case_id
        for status in (CaseStatus.OPEN, CaseStatus.ACKNOWLEDGED)
        for case in cases.listed(limit=OPEN_CASES, status=status).records
    ]
    return {
        "pool_keys": {state.value: count for state, count in keys.counts().items()},
        "open_cases": open_cases,
        "waiting": {one.what: one.count for one in stuck()},
    }


def _printed(since: datetime, until: datetime, sums: Sums, state: dict[str, Any]) -> bytes:
    facts = {
        "Period (UTC)": f"{since:%Y-%m-%d} to {until - DAY:%Y-%m-%d}",
        "Made (UTC)": f"{clock.now():%Y-%m-%d %H:%M}",
        "Entries of the audit trail": f"{sums.entries:,}",
        "Open cases": ", ".join(state["open_cases"]) or "none",
    }
    verified = {one["at"]: f"{one['outcome']}, {one['problems']} problems" for one in sums.verifications}
    ranked = {
        name: dict(getattr(sums, name).most_common()) for name in ("events", "actors", "refusals", "outcomes")
    }
    sections = [
        ("What was done, by day", dict(sorted(sums.days.items()))),
        ("What was done", ranked["events"]),
        ("By whom", ranked["actors"]),
        ("How it ended", ranked["outcomes"]),
        ("Refused or failed", ranked["refusals"]),
        ("Keys rotated, revoked, ended", sums.keys),
        ("Approvals", sums.approvals),
        ("Pool keys now, by state", state["pool_keys"]),
        ("What waits now", state["waiting"]),
        ("Verifications of the trail", verified),
    ]
    return rendering.as_page("Compliance report", facts, sections)


def _key(report_id: str, name: str) -> str:
    return f"reports/{report_id}/{name}"


def _put(report_id: str, name: str, content: bytes) -> dict[str, Any]:
    return bucket.put(_key(report_id, name), content, media_type=TYPES[name.partition(".")[2]]).as_document()


def _as_json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1, sort_keys=True).encode()


def _keep(report: Report, actor: Actor) -> None:
    there = ReportTable.find(report.report_id)
    if there is not None:  # this worker, or one before it, came to the end already
        return
    named = {SUMMARY, PRINTED, INDEX}
    digests = {name: told["sha256"] for name, told in report.files.items() if name in named}
    days = {name: told["sha256"] for name, told in report.files.items() if name not in named}
    kept = report
    if len(report.files) > HELD:
        kept = replace(report, files={name: report.files[name] for name in named})
    with transaction(actor) as tx:
        tx.put(ReportTable.of(kept))
        tx.audit(
            ReportEvent.MADE,
            report_id=report.report_id,
            entries=report.entries,
            digests=digests | {"days": _digest_of(days)},
        )


def _digest_of(digests: dict[str, str]) -> str:
    """One digest for many: SHA-256 of ``sha256sum``'s own lines."""
    text = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def listed(*, limit: int, position: Position | None = None) -> Page[Report]:
    """Reports, those made last first."""
    return store.reports_page(limit=limit, position=position)


def find(report_id: str) -> Report:
    """One report.

    Raises:
        ReportNotFound: no such report.
    """
    found = ReportTable.find(report_id)
    if found is None:
        raise ReportNotFound(f"There is no report {report_id!r}.")
    return found


def address_of(report_id: str, name: str, *, actor: Actor) -> str:
    """Give out a short-lived address of a file of a report; the entry is written first.

    Raises:
        ReportNotFound: no such report, or it has no such file.
    """
    report = find(report_id)
    files = report.files if name in report.files else files_of(report.files)
    if name not in files:
        has = ", ".join(sorted(files)[:HELD])
        raise ReportNotFound(f"The report has no file {name!r}; it has {has}.")
    record(actor, ReportEvent.READ, report_id=report_id, name=name)
    return bucket.address_of(str(files[name]["key"]))


def files_of(kept: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """All files of a report: those that its row keeps, and where that has only the index of its days, those of the index.

    Raises:
        ReportUnsound: the index is not the one that the row names.
    """
    told = kept.get(INDEX)
    if told is None or kept.keys() - {SUMMARY, PRINTED, INDEX}:
        return kept
    content = bucket.read(str(told["key"]))
    if hashlib.sha256(content).hexdigest() != told["sha256"]:
        raise ReportUnsound(UNSOUND)
    listed: Files = json.loads(content)["files"]
    return {**listed, **kept}
