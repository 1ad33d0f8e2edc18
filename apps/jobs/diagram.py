"""The page on jobs, drawn from the table of transitions and the apps' kinds."""

from apps.jobs import kinds
from apps.jobs.control import FIRST_WAIT, LONGEST_WAIT, MAX_DEATHS, MAX_POSTPONED
from apps.jobs.heartbeats import FAIR_SECONDS, HANDED_OVER_SECONDS, HEARTBEAT_SECONDS
from apps.jobs.messages import VISIBLE_SECONDS
from apps.jobs.records import TRANSITIONS, JobState
from apps.jobs.services import LOST_SECONDS

_HEAD = """# Jobs

Made from `apps/jobs/records.py` and each app's `job_kinds.py` by `manage.py pages`; a test compares.

## States

Every other transition is refused: a cancelled job is not overwritten, an ended one does not come back, except that
one that failed may be sent again.
"""
_KINDS = f"""## What happens when something fails

| what | becomes of the job |
|---|---|
| a worker dies | a thread tells every {HEARTBEAT_SECONDS:.0f} s that it lives; {VISIBLE_SECONDS} s after the last, SQS shows the message again, and whoever takes it goes on. Where the message is lost too, the sweep sends another once the job has been silent for {LOST_SECONDS} s. {MAX_DEATHS} such workers in a row, without the job getting further, end it as failed. |
| no answer, throttling, 503, an empty stock | it waits: {FIRST_WAIT} s, then twice as long each time, up to {LONGEST_WAIT} s. {MAX_POSTPONED} such failures in a row, about a day, end it as failed. |
| its end cannot be recorded | its message is not acknowledged, so it is shown again. |
| its worker's time ends (Lambda) | it stops {HANDED_OVER_SECONDS:.0f} s before, and goes on in the next message. |
| another failure | it has failed, and says why. |
| it is cancelled while its worker is silent | it ends at once. |

## Whose jobs run

Jobs of custody have a queue and workers of their own. All others share `JOBS_QUEUE`: of one principal
`JOBS_RUNNING_PER_PRINCIPAL` run at a time, and the rest wait without holding up a worker; whoever has
`JOBS_OPEN_PER_PRINCIPAL` that wait or run is refused another with 429. Where others wait, a job gives way after
{FAIR_SECONDS:.0f} s and goes on in the next message.

## Kinds

Every kind tells its progress through one function and sees a cancellation: within 10 seconds of work the job ends,
`done` and `results` say how far it came, and nothing is left half done. A session under way stops computing.

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
        f"| `{kind}` | {kind.meaning} | `{kind.task}` | `{kind.queue_setting}` | {kind.step} | {kind.again} |"
        for kind in declared
    ]
    return "\n".join([_HEAD, "```mermaid", mermaid(), "```", "", _KINDS, *rows, ""])
