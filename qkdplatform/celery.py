"""Celery on SQS. Tasks carry ids only; what they are about stands in the jobs table."""

import os
from urllib.parse import quote, urlsplit

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qkdplatform.settings")

from django.conf import settings

from apps.common import whole_answers
from apps.jobs.messages import VISIBLE_SECONDS

whole_answers.install()


def _broker() -> str:
    """Return the broker's address: ``sqs://`` on AWS, else the endpoint's host with the keys that kombu wants in it."""
    if not settings.AWS_ENDPOINT_URL:
        return str(settings.CELERY_BROKER_URL)
    user, password = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    return f"sqs://{quote(user, safe='')}:{quote(password, safe='')}@{urlsplit(settings.AWS_ENDPOINT_URL).netloc}"


def _known_queues() -> dict[str, dict[str, str]]:
    """Return the queues whose addresses were told: with them, kombu neither lists queues nor makes one."""
    told = {settings.JOBS_QUEUE: settings.JOBS_QUEUE_URL, settings.CUSTODY_QUEUE: settings.CUSTODY_QUEUE_URL}
    return {name: {"url": url} for name, url in told.items() if url}


app = Celery("qkdplatform")
app.conf.update(
    broker_url=_broker(),
    broker_transport_options={
        "region": settings.AWS_REGION,
        "is_secure": not settings.AWS_ENDPOINT_URL.startswith("http://"),
        # What the queues of `make run` have; a job under way extends it with its heartbeats (apps.jobs.messages)
        "visibility_timeout": VISIBLE_SECONDS,
        "predefined_queues": _known_queues(),
        "wait_time_seconds": 10,
        "polling_interval": 0.5,
    },
    task_default_queue=settings.JOBS_QUEUE,
    task_ignore_result=True,  # progress and results stand in the jobs table
    task_acks_late=True,  # a killed worker's task runs again
    task_acks_on_failure_or_timeout=False,  # so does one that could not record what became of its job
    task_reject_on_worker_lost=True,
    task_serializer="json",
    accept_content=["json"],
    worker_prefetch_multiplier=1,
    worker_consumer="qkdplatform.consumer:KeepingConsumer",
    worker_hijack_root_logger=False,
    worker_enable_remote_control=False,  # SQS has no fan-out
    worker_send_task_events=False,
    broker_connection_retry_on_startup=True,
)
app.autodiscover_tasks()
