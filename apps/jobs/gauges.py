"""Open jobs and dead letters, as metrics."""

from collections.abc import Iterator
from itertools import islice

from django.conf import settings

from apps.common import aws
from apps.common.standstill import MOST
from apps.jobs import services
from apps.metrics.catalog import DEAD_LETTERS, JOBS_OPEN
from apps.metrics.measuring import Reading


def _open() -> Iterator[Reading]:
    yield Reading(JOBS_OPEN, sum(1 for _ in islice(services.unfinished(), MOST)))


def _dead_letters() -> Iterator[Reading]:
    sqs = aws.client("sqs")
    url = sqs.get_queue_url(QueueName=settings.DEAD_LETTER_QUEUE)["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    yield Reading(DEAD_LETTERS, int(found["Attributes"]["ApproximateNumberOfMessages"]))


GAUGES = [_open, _dead_letters]
