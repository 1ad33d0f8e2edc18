"""Bodies and checkpoints replicated to given buckets: what the tables' copies and backups do not hold.

Records name the versions of objects. S3's replication keeps their ids, there and on the way back; of a copy that is
written anew the records are told by `manage.py find_bodies`.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from buckets import Buckets
from config import Config
from constructs import Construct

READ = (
    "GetObjectLegalHold",
    "GetObjectRetention",
    "GetObjectVersionAcl",
    "GetObjectVersionForReplication",
    "GetObjectVersionTagging",
)


class Replication(Construct):
    """The role by which S3 replicates, and the rule of each bucket. Deletions are not replicated: that is the point."""

    def __init__(self, scope: Construct, config: Config, key: kms.IKey, buckets: Buckets) -> None:
        super().__init__(scope, "Replication")
        self._config, self._key = config, key
        self.role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("s3.amazonaws.com"),
            description=f"{config.prefix}: S3 replicates bodies and checkpoints",
        )
        self._allow(["kms:Decrypt"], key.key_arn)
        self._allow(["kms:Encrypt"], config.replicas_key_arn)
        for name, bucket, target in (
            ("encrypted", buckets.encrypted, config.bodies_replica_arn),
            ("checkpoints", buckets.checkpoints, config.checkpoints_replica_arn),
        ):
            self._replicate(name, bucket, target)

    def _replicate(self, name: str, bucket: s3.Bucket, target: str) -> None:
        # By its name: an ARN of the bucket would be circular, as the bucket names the role
        account = cdk.Stack.of(self).account
        own = f"arn:{cdk.Aws.PARTITION}:s3:::{self._config.prefix}-{account}-{name}"
        self._allow(["s3:GetReplicationConfiguration", "s3:ListBucket"], own)
        self._allow([f"s3:{name}" for name in READ], f"{own}/*")
        self._allow(["s3:ReplicateObject", "s3:ReplicateTags"], f"{target}/*")
        encryption = s3.CfnBucket.EncryptionConfigurationProperty(
            replica_kms_key_id=self._config.replicas_key_arn
        )
        enabled = s3.CfnBucket.SseKmsEncryptedObjectsProperty(status="Enabled")
        rule = s3.CfnBucket.ReplicationRuleProperty(
            id="everything",
            priority=1,
            status="Enabled",
            filter=s3.CfnBucket.ReplicationRuleFilterProperty(prefix=""),
            delete_marker_replication=s3.CfnBucket.DeleteMarkerReplicationProperty(status="Disabled"),
            source_selection_criteria=s3.CfnBucket.SourceSelectionCriteriaProperty(
                sse_kms_encrypted_objects=enabled
            ),
            destination=s3.CfnBucket.ReplicationDestinationProperty(
                bucket=target, encryption_configuration=encryption
            ),
        )
        raw: Any = bucket.node.default_child
        raw.replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
            role=self.role.role_arn, rules=[rule]
        )

    def _allow(self, actions: list[str], resource: str) -> None:
        self.role.add_to_policy(iam.PolicyStatement(actions=actions, resources=[resource]))
