"""SQS: the jobs, those of custody, the notifications of uploads, and what failed at every attempt."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from config import Config
from constructs import Construct

VISIBILITY_FACTOR = 6  # AWS's advice: of the function's time-out, as deliveries that are throttled count, too


class Queues(Construct):
    """All keep messages for 14 days; a message goes to the dead letters after ``max_receives`` deliveries."""

    def __init__(self, scope: Construct, config: Config, key: kms.IKey) -> None:
        super().__init__(scope, "Queues")
        self._config, self._key = config, key
        self.dead_letters = self._queue("dead-letters")
        redrive = sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=config.max_receives)
        visibility = cdk.Duration.seconds(VISIBILITY_FACTOR * config.worker_timeout_seconds)
        self.jobs = self._queue("jobs", redrive, visibility)
        # Of its own, so that a revocation's re-wrapping waits for nobody's batches
        self.custody = self._queue("custody", redrive, visibility)
        self.upload_events = self._queue("upload-events", redrive, visibility)

    def _queue(
        self, name: str, redrive: sqs.DeadLetterQueue | None = None, visibility: cdk.Duration | None = None
    ) -> sqs.Queue:
        days = self._config.dead_letter_days if name == "dead-letters" else 14
        return sqs.Queue(
            self,
            "".join(part.title() for part in name.split("-")),
            queue_name=f"{self._config.prefix}-{name}",
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(days),
            removal_policy=cdk.RemovalPolicy.DESTROY,
            dead_letter_queue=redrive,
            visibility_timeout=visibility,
        )
