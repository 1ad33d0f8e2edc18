"""The page on jobs, drawn from the table of transitions and the apps' kinds."""

from django.conf import settings

from apps.jobs import kinds
from apps.jobs.records import TRANSITIONS, JobState

_HEAD = """# Jobs

Made from `apps/jobs/records.py` and each app's `job_kinds.py` by `manage.py pages`; a test compares.

## States

Every other transition is refused: a cancelled job is not overwritten, an ended one does not come back, except that
one that failed may be sent again.
"""
_KINDS = """## Kinds

Every kind tells progress through one function, which is its heartbeat, keeps its message hidden and sees a
cancellation: within 10 seconds of work the job ends, `done` and `results` say how far it came, and nothing is left
half done. The sweep sends the message of a job again that nobody took up, or whose worker has not been heard of for
20 minutes.

| kind | what it does | task | queue | counts | to start one again |
|---|---|---|---|---|---|"""


def mermaid() -> str:
    """The diagram as Mermaid text."""
    lines = ["stateDiagram-v2", f"    [*] --> {JobState.QUEUED}: enqueue"]
    lines += [f"    {one.source} --> {one.target}: {one.name}" for one in TRANSITIONS]
    lines += [f"    {state} --> [*]" for state in JobState if state.ended]
    return "\n".join(lines)


def page() -> str:
    """The page of the documentation."""
    declared = [kinds.all_kinds()[name] for name in sorted(kinds.all_kinds())]
    rows = [
        f"| `{kind}` | {kind.meaning} | `{kind.task}` | {_queue(kind)} | {kind.step} | {kind.again} |"
        for kind in declared
    ]
    return "\n".join([_HEAD, "```mermaid", mermaid(), "```", "", _KINDS, *rows, ""])


def _queue(kind: str) -> str:
    queue = kinds.queue_of(kind)
    return (
        "`JOBS_QUEUE`" if queue == settings.JOBS_QUEUE else f"`{queue}`"
    )  # the page is the same in every stage
