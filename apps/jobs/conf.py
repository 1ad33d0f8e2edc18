"""Settings of jobs."""

from apps.common.environment import Section

section = Section("Jobs")

JOBS_QUEUE = section.text("JOBS_QUEUE", "qkd-{stage}-jobs", about="The queue of jobs to run.")
JOBS_QUEUE_URL = section.text(
    "JOBS_QUEUE_URL",
    "",
    about="The address of JOBS_QUEUE; empty: it is looked up, which needs the right to list queues.",
)
CUSTODY_QUEUE = section.text(
    "CUSTODY_QUEUE",
    "qkd-{stage}-custody",
    about="The queue of jobs of custody, with workers of its own: what is revoked waits for nobody's batches.",
)
CUSTODY_QUEUE_URL = section.text(
    "CUSTODY_QUEUE_URL",
    "",
    about="The address of CUSTODY_QUEUE; empty: it is looked up, which needs the right to list queues.",
)
JOBS_OPEN_PER_PRINCIPAL = section.integer(
    "JOBS_OPEN_PER_PRINCIPAL",
    100,
    low=1,
    about="Jobs of one principal that wait or run at a time; another one is refused with 429.",
)
JOBS_RUNNING_PER_PRINCIPAL = section.integer(
    "JOBS_RUNNING_PER_PRINCIPAL",
    4,
    low=1,
    about="Of these, how many run at a time; keep it below the number of workers. `make run` sets 1, of 2.",
)
CELERY_BROKER_URL = section.text(
    "CELERY_BROKER_URL", "sqs://", about="Celery's broker; the embedded AWS is found by AWS_ENDPOINT_URL."
)
