"""Settings that several apps share."""

from apps.common import environment
from apps.common.environment import Section

section = Section("Shared")

BASE_DIR = environment.BASE_DIR
STAGE = section.text(
    "QKD_STAGE",
    "local",
    about="The stage: local, dev, staging or production; it decides only what is stricter.",
)
LOCAL = environment.LOCAL
section.text(
    "LOCAL_DIR", ".local", about="The folder in which `make run` keeps its state; relative to the project."
)
LOCAL_DIR = environment.LOCAL_DIR
AWS_REGION = section.text("AWS_DEFAULT_REGION", "us-east-1", about="The AWS region of everything.")
AWS_ENDPOINT_URL = section.text(
    "AWS_ENDPOINT_URL",
    "",
    about="Where an AWS other than Amazon's answers, as the SDK reads it; empty on AWS.",
)
TABLE_PREFIX = section.text("TABLE_PREFIX", "qkd-{stage}", about="What the names of all tables begin with.")
FEED_SHARDS = section.integer(
    "FEED_SHARDS",
    1,
    low=1,
    high=64,
    about="Partitions of each list's index, where 1,000 writes a second are not enough. May grow, never shrink.",
)
WAIT_SECONDS = section.integer(
    "WAIT_SECONDS",
    8,
    high=25,
    about="Seconds that a request to a function waits at most for its result where the caller prefers to (Prefer: wait); over ten, such requests trip the alarm of latency. 0: it does not wait.",
)
DEAD_LETTER_QUEUE = section.text(
    "DEAD_LETTER_QUEUE", "qkd-{stage}-dead-letters", about="The queue of events that failed at every attempt."
)
ALERT_TOPIC_ARN = section.text(
    "ALERT_TOPIC_ARN", "", about="The SNS topic that alerts go to; empty: they are only logged."
)
ROOT_KEY = section.text(
    "ROOT_KEY",
    local="local:{local_dir}/root.key",
    about="What wraps all secrets: `kms:<key id or alias>`, or `local:<file>` at the local stage only.",
)
ROOT_KEY_PREVIOUS = section.words(
    "ROOT_KEY_PREVIOUS", about="Root keys that still unwrap, until `manage.py root_key rotate` is done."
)
REQUEST_BODY_MAX_BYTES = section.integer(
    "REQUEST_BODY_MAX_BYTES",
    2 * 2**20,
    about="The largest body of a request: a message. Files go to S3 directly.",
)
BATCH_BODY_MAX_BYTES = section.integer(
    "BATCH_BODY_MAX_BYTES",
    5 * 2**20,
    about="The largest body of a batch of messages; Lambda takes 6 MB.",
)
TRACE_SAMPLE = section.real(
    "TRACE_SAMPLE",
    0.05,
    low=0.0,
    high=1.0,
    about="The part of the traces that begin here, and of which no caller decided, that is recorded.",
)
RECORD_KEY = section.text(
    "RECORD_KEY", secret=True, about="Key of the tags of rows that decide about security."
)
RECORD_KEY_PREVIOUS = section.words(
    "RECORD_KEY_PREVIOUS", about="Keys whose tags still count while RECORD_KEY changes."
)
section.integer(
    "SECRETS_MAX_AGE_SECONDS",
    environment.SECRETS_MAX_AGE_SECONDS,
    low=1,
    high=3600,
    about="Seconds after which values in Secrets Manager (`secretsmanager:<id>#KEY` in any setting) are read again.",
)
FORWARDED_HOPS = section.integer(
    "FORWARDED_HOPS",
    0,
    low=0,
    high=8,
    about="Proxies before the platform that append to X-Forwarded-For, where no API Gateway says who calls: 1 for a load balancer. 0: addresses are unknown there.",
)
