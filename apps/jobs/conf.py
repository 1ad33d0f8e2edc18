"""Settings of jobs."""

from apps.common.environment import Section

section = Section("Jobs")

JOBS_QUEUE = section.text("JOBS_QUEUE", "qkd-{stage}-jobs", about="The queue of jobs to run.")
CELERY_BROKER_URL = section.text(
    "CELERY_BROKER_URL", "sqs://", about="Celery's broker; the embedded AWS is found by AWS_ENDPOINT_URL."
)
