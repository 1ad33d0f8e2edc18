"""Runs in the platform's environment: sends the message of every job that has not ended once more, as if SQS did."""

import django

django.setup()

from apps.jobs import kinds, services  # noqa: E402 - see above

for job in services.unfinished():
    kinds.send(job.kind, job.job_id)
