"""S3's buckets: uploads, encrypted bodies, decrypted copies, checkpoints of the trail, and the access logs of all."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from config import Config
from constructs import Construct

DAY = cdk.Duration.days(1)


class Buckets(Construct):
    """Private, encrypted, TLS only; their names hold the account, as names are the whole world's."""

    def __init__(self, scope: Construct, config: Config, key: kms.IKey, events: sqs.Queue) -> None:
        super().__init__(scope, "Buckets")
        self._config, self._key = config, key
        self._account = cdk.Stack.of(self).account
        self.logs = self._access_logs()
        incomplete = s3.LifecycleRule(abort_incomplete_multipart_upload_after=cdk.Duration.days(7))
        self.uploads = self._bucket(
            "uploads",
            versioned=True,  # an upload is a version: one that is replaced meanwhile is not lost
            browsers=True,
            rules=[
                s3.LifecycleRule(
                    expiration=cdk.Duration.days(config.upload_expiry_days), noncurrent_version_expiration=DAY
                ),
                incomplete,
            ],
        )
        self.encrypted = self._bucket(
            "encrypted",
            versioned=config.versioning,
            rules=[
                s3.LifecycleRule(
                    transitions=[
                        s3.Transition(
                            storage_class=s3.StorageClass.INTELLIGENT_TIERING,
                            transition_after=cdk.Duration.days(config.tiering_days),
                        )
                    ],
                    noncurrent_version_expiration=cdk.Duration.days(config.noncurrent_days),
                ),
                incomplete,
            ],
        )
        self.downloads = self._bucket(
            "downloads", versioned=False, browsers=True, rules=[s3.LifecycleRule(expiration=DAY), incomplete]
        )
        self.checkpoints = self._bucket("checkpoints", versioned=True, locked=True, rules=[incomplete])
        # Reports, and the trail as a SIEM reads it: versioned, so that what was overwritten is seen
        results = s3.LifecycleRule(
            prefix="athena/", expiration=cdk.Duration.days(7), noncurrent_version_expiration=DAY
        )
        self.exports = self._bucket("exports", versioned=True, rules=[results, incomplete])
        self._notify(events)

    @property
    def all(self) -> list[s3.Bucket]:
        """The buckets that hold data."""
        return [self.uploads, self.encrypted, self.downloads, self.checkpoints, self.exports]

    def _bucket(
        self,
        name: str,
        *,
        versioned: bool,
        rules: list[s3.LifecycleRule],
        browsers: bool = False,
        locked: bool = False,
    ) -> s3.Bucket:
        config = self._config
        return s3.Bucket(
            self,
            name.title(),
            bucket_name=f"{config.prefix}-{self._account}-{name}",
            versioned=versioned,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self._key,
            bucket_key_enabled=True,  # a hundredth of the calls to KMS
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            server_access_logs_bucket=self.logs,
            server_access_logs_prefix=f"{name}/",
            lifecycle_rules=rules,
            cors=[self._cors()] if browsers and self._origins() else None,
            object_lock_enabled=locked or None,
            object_lock_default_retention=s3.ObjectLockRetention.governance(
                cdk.Duration.days(config.checkpoint_retention_days)
            )
            if locked
            else None,
            removal_policy=cdk.RemovalPolicy.DESTROY if config.removable else cdk.RemovalPolicy.RETAIN,
        )

    def _origins(self) -> list[str]:
        own = [f"https://{self._config.domain_name}"] if self._config.domain_name else []
        return [*own, *self._config.cors_origins]

    def _cors(self) -> s3.CorsRule:
        methods = s3.HttpMethods
        return s3.CorsRule(
            allowed_methods=[methods.GET, methods.HEAD, methods.PUT, methods.POST],
            allowed_origins=self._origins(),
            allowed_headers=["*"],
            exposed_headers=["ETag", "x-amz-version-id"],
            max_age=3600,
        )

    def _access_logs(self) -> s3.Bucket:
        # S3 writes its logs with keys of its own only
        return s3.Bucket(
            self,
            "AccessLogs",
            bucket_name=f"{self._config.prefix}-{self._account}-access-logs",
            encryption=s3.BucketEncryption.S3_MANAGED,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            lifecycle_rules=[s3.LifecycleRule(expiration=cdk.Duration.days(365))],
            removal_policy=cdk.RemovalPolicy.DESTROY if self._config.removable else cdk.RemovalPolicy.RETAIN,
        )

    def _notify(self, events: sqs.Queue) -> None:
        """Have every upload make a message, and every body that is back from cold storage.

        Not ``add_event_notification``: that brings a function with a wide role.
        """
        told = {"uploads": "s3:ObjectCreated:*", "encrypted": "s3:ObjectRestore:Completed"}
        start = f"arn:{cdk.Aws.PARTITION}:s3:::{self._config.prefix}-{self._account}"
        events.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                resources=[events.queue_arn],
                conditions={
                    "ArnEquals": {"aws:SourceArn": [f"{start}-{name}" for name in told]},
                    "StringEquals": {"aws:SourceAccount": self._account},
                },
            )
        )
        for name, event in told.items():
            raw = getattr(self, name).node.default_child
            raw.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
                queue_configurations=[
                    s3.CfnBucket.QueueConfigurationProperty(event=event, queue=events.queue_arn)
                ]
            )
            # S3 tries the queue when it is told of it
            raw.node.add_dependency(events.node.find_child("Policy"))
