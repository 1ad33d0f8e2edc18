"""KMS keys: for the root key, the data at rest, messages, and on demand the signatures of checkpoints.

They are apart: one key for a bucket and the queue that it writes to would be circular, and the root key has fewer users.
"""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from config import Config
from constructs import Construct


class Keys(Construct):
    """The keys of a stage; those that encrypt are rotated each year by KMS."""

    def __init__(self, scope: Construct, config: Config) -> None:
        super().__init__(scope, "Keys")
        self.root = self._key(
            config, "root", "Wraps the platform's secrets", multi_region=bool(config.replica_regions)
        )
        self.data = self._key(config, "data", "Tables, buckets, secrets and logs at rest")
        self.messages = self._key(config, "messages", "Queues and topics")
        self.checkpoints = self._signing_key(config) if config.checkpoint_key else None
        self._let_services_use(config)

    def _signing_key(self, config: Config) -> kms.Key:
        # KMS rotates no asymmetric key; it is kept with the stage's data, as what it signed is locked
        return kms.Key(
            self,
            "Checkpoints",
            alias=f"alias/{config.prefix}-checkpoints",
            description=f"{config.prefix}: Signs the audit trail's checkpoints",
            key_spec=kms.KeySpec.ML_DSA_65,
            key_usage=kms.KeyUsage.SIGN_VERIFY,
            pending_window=cdk.Duration.days(config.kms_window_days),
            removal_policy=cdk.RemovalPolicy.DESTROY if config.removable else cdk.RemovalPolicy.RETAIN,
        )

    def _key(self, config: Config, name: str, about: str, *, multi_region: bool = False) -> kms.Key:
        return kms.Key(
            self,
            name.title(),
            alias=f"alias/{config.prefix}-{name}",
            description=f"{config.prefix}: {about}",
            enable_key_rotation=True,
            multi_region=multi_region,
            pending_window=cdk.Duration.days(config.kms_window_days),
            removal_policy=cdk.RemovalPolicy.DESTROY if config.removable else cdk.RemovalPolicy.RETAIN,
        )

    def _let_services_use(self, config: Config) -> None:
        account = cdk.Stack.of(self).account
        own = {"StringEquals": {"aws:SourceAccount": account}}
        for service in ("s3", "sns", "cloudwatch", "events"):
            self.messages.add_to_resource_policy(_may(f"{service}.amazonaws.com", own))
        group = f"arn:{cdk.Aws.PARTITION}:logs:{config.region}:{account}:log-group:*"
        logs = {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": group}}
        self.data.add_to_resource_policy(
            iam.PolicyStatement(
                actions=[
                    "kms:Decrypt",
                    "kms:DescribeKey",
                    "kms:Encrypt",
                    "kms:GenerateDataKey*",
                    "kms:ReEncrypt*",
                ],
                principals=[iam.ServicePrincipal(f"logs.{config.region}.amazonaws.com")],
                resources=["*"],  # in a key's own policy: that key
                conditions=logs,
            )
        )


def _may(service: str, conditions: dict[str, dict[str, str]]) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["kms:Decrypt", "kms:GenerateDataKey"],
        principals=[iam.ServicePrincipal(service)],
        resources=["*"],  # in a key's own policy: that key
        conditions=conditions,
    )
