"""What each function may do on AWS: the one list that roles are made of, and that tests hold against the code."""

from dataclasses import dataclass

API, WORKER = "api", "worker"
BOTH = frozenset({API, WORKER})


@dataclass(frozen=True, slots=True)
class Right:
    """Actions on one kind of resource.

    Args:
        functions: who has them.
        service: as IAM names it.
        actions: without the service.
        resources: ARNs, where ``{partition}``, ``{region}``, ``{account}``, ``{prefix}`` and ``{stage}`` are filled in, and
            ``{<name>_key}`` is the ARN of a key of the state stack.
    """

    functions: frozenset[str]
    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]


TABLE = "arn:{partition}:dynamodb:{region}:{account}:table/{prefix}-*"
SQS = "arn:{partition}:sqs:{region}:{account}:{prefix}-"
BUCKET = "arn:{partition}:s3:::{prefix}-{account}-"

RIGHTS = (
    Right(
        BOTH,
        "dynamodb",
        (
            *(
                "BatchGetItem",
                "ConditionCheckItem",
                "DeleteItem",
                "DescribeTable",
                "GetItem",
                "PutItem",
                "Query",
            ),
            "UpdateItem",
        ),
        (TABLE, TABLE + "/index/*"),
    ),
    # Verification of the records, and the rotation of root keys, walk whole tables; both run on the worker
    Right(frozenset({WORKER}), "dynamodb", ("Scan",), (TABLE,)),
    Right(
        frozenset({WORKER}),
        "dynamodb",
        ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"),  # Lambda asks for all of them
        tuple(
            f"arn:{{partition}}:dynamodb:{{region}}:{{account}}:table/{{prefix}}-{table}/stream/*"
            for table in ("sessions", "audit")
        ),
    ),
    # Presigned addresses carry the rights of who signed them: the API's
    Right(
        BOTH,
        "s3",
        ("AbortMultipartUpload", "GetObject", "GetObjectVersion", "ListMultipartUploadParts", "PutObject"),
        (BUCKET + "uploads/*", BUCKET + "encrypted/*", BUCKET + "downloads/*"),
    ),
    Right(
        BOTH,
        "s3",
        ("DeleteObject", "DeleteObjectVersion"),
        (BUCKET + "uploads/*", BUCKET + "encrypted/*", BUCKET + "downloads/*"),
    ),
    # Bodies in cold storage are thawed before they are copied back
    Right(BOTH, "s3", ("RestoreObject",), (BUCKET + "encrypted/*",)),
    # An upload that was not announced says by its tags whose it is
    Right(BOTH, "s3", ("GetObjectTagging", "GetObjectVersionTagging"), (BUCKET + "uploads/*",)),
    Right(
        BOTH,
        "s3",
        ("ListBucket", "ListBucketMultipartUploads", "ListBucketVersions"),
        (BUCKET + "uploads", BUCKET + "encrypted", BUCKET + "downloads", BUCKET + "checkpoints"),
    ),
    # Reports and the trail's export; the API hands out addresses to read reports by
    Right(BOTH, "s3", ("GetObject",), (BUCKET + "exports/*",)),
    Right(frozenset({WORKER}), "s3", ("PutObject",), (BUCKET + "exports/*",)),
    Right(
        BOTH,
        "s3",
        ("GetObject", "GetObjectVersion", "PutObject", "PutObjectRetention"),
        (BUCKET + "checkpoints/*",),
    ),
    Right(
        BOTH,
        "sqs",
        ("GetQueueAttributes", "GetQueueUrl", "SendMessage"),
        (SQS + "jobs", SQS + "custody", SQS + "dead-letters"),
    ),
    Right(
        frozenset({WORKER}),
        "sqs",
        ("ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage"),
        (SQS + "jobs", SQS + "custody", SQS + "upload-events"),
    ),
    # The console looks at dead letters and drops them; `manage.py redrive` and its job run on the worker
    Right(
        BOTH, "sqs", ("ChangeMessageVisibility", "DeleteMessage", "ReceiveMessage"), (SQS + "dead-letters",)
    ),
    # What is stuck, which readiness tells: messages that wait
    Right(frozenset({API}), "sqs", ("GetQueueAttributes", "GetQueueUrl"), (SQS + "upload-events",)),
    Right(BOTH, "sns", ("Publish",), ("arn:{partition}:sns:{region}:{account}:{prefix}-alerts",)),
    Right(
        frozenset({WORKER}),
        "events",
        ("PutEvents",),
        ("arn:{partition}:events:{region}:{account}:event-bus/{prefix}",),
    ),
    Right(BOTH, "kms", ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey"), ("{root_key}",)),
    Right(BOTH, "kms", ("Decrypt", "GenerateDataKey"), ("{data_key}", "{messages_key}")),
    # Where a stage has one: until everything is wrapped under its own
    Right(BOTH, "kms", ("Decrypt", "DescribeKey"), ("{previous_root_key}",)),
    # Where a stage has one; `manage.py checkpoint` and the sweep run on the worker
    Right(frozenset({WORKER}), "kms", ("GetPublicKey", "Sign"), ("{checkpoints_key}",)),
    Right(
        BOTH,
        "secretsmanager",
        ("GetSecretValue",),
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}/platform-*",),
    ),
    # `manage.py bootstrap --into`, which runs on the worker
    Right(
        frozenset({WORKER}),
        "secretsmanager",
        ("PutSecretValue",),
        ("arn:{partition}:secretsmanager:{region}:{account}:secret:{prefix}/first-operator-*",),
    ),
    Right(
        BOTH,
        "logs",
        ("CreateLogStream", "PutLogEvents"),
        ("arn:{partition}:logs:{region}:{account}:log-group:/aws/lambda/qkdplatform-{stage}*:*",),
    ),
    # X-Ray has no resources to name: AWS's reference allows * only
    Right(BOTH, "xray", ("PutTelemetryRecords", "PutTraceSegments"), ("*",)),
)
NETWORK = (
    # Functions in a VPC make their interfaces themselves; AWS allows * only for making and describing
    Right(
        BOTH,
        "ec2",
        ("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces"),
        ("*",),
    ),
)


def statements(function: str, values: dict[str, str], *, vpc: bool) -> list[dict[str, object]]:
    """Return the statements of a function's policy, as IAM has them; none about a key that the stage has not."""
    return [
        {
            "Effect": "Allow",
            "Action": [f"{right.service}:{action}" for action in right.actions],
            "Resource": [resource.format(**values) for resource in right.resources],
        }
        for right in (*RIGHTS, *(NETWORK if vpc else ()))
        if function in right.functions and _has_keys(right, values)
    ]


def _has_keys(right: Right, values: dict[str, str]) -> bool:
    """Return whether the stage has the keys that a right is about."""
    return {one.strip("{}") for one in right.resources if one.startswith("{")} <= values.keys()
