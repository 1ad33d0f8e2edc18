"""Once an account: who did what, what is configured how, backups, and threats. One switch, as each costs by itself."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_backup as backup
from aws_cdk import aws_cloudtrail as cloudtrail
from aws_cdk import aws_config as rules
from aws_cdk import aws_events as events
from aws_cdk import aws_guardduty as guardduty
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_securityhub as securityhub
from config import Config
from constructs import Construct
from state import State

MANAGED = (
    "DYNAMODB_PITR_ENABLED",
    "DYNAMODB_TABLE_ENCRYPTED_KMS",
    "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
    "S3_BUCKET_SSL_REQUESTS_ONLY",
    "S3_BUCKET_VERSIONING_ENABLED",
    "CMK_BACKING_KEY_ROTATION_ENABLED",
    "LAMBDA_FUNCTION_PUBLIC_ACCESS_PROHIBITED",
    "CLOUD_TRAIL_ENABLED",
)


class Governance(cdk.Stack):
    """CloudTrail, Config rules, the backup plan, GuardDuty and Security Hub."""

    def __init__(self, scope: Construct, config: Config, state: State, **more: Any) -> None:
        super().__init__(scope, f"{config.prefix}-governance", **more)
        kept = s3.Bucket(
            self,
            "TrailBucket",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            versioned=True,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        trail = cloudtrail.Trail(
            self,
            "Trail",
            bucket=kept,
            trail_name=config.prefix,
            is_multi_region_trail=True,
            enable_file_validation=True,
        )
        trail.add_s3_event_selector(
            [cloudtrail.S3EventSelector(bucket=bucket) for bucket in state.buckets.all],
            include_management_events=True,
        )
        recorded = self._recorder(kept)
        for name in MANAGED:
            rule = rules.ManagedRule(self, "".join(part.title() for part in name.split("_")), identifier=name)
            rule.node.add_dependency(*recorded)
        self._backups(config, state)
        guardduty.CfnDetector(self, "Threats", enable=True, finding_publishing_frequency="FIFTEEN_MINUTES")
        securityhub.CfnHub(self, "Hub", enable_default_standards=True)

    def _recorder(self, kept: s3.Bucket) -> list[cdk.CfnResource]:
        """What Config has to have before it takes a rule. Recorder and channel wait for each other: neither may depend."""
        role = iam.Role(
            self,
            "RecorderRole",
            assumed_by=iam.ServicePrincipal("config.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name("service-role/AWS_ConfigRole")],
        )
        own = {"StringEquals": {"aws:SourceAccount": self.account}}
        for actions, resource in (
            (["s3:GetBucketAcl", "s3:ListBucket"], kept.bucket_arn),
            (["s3:PutObject"], kept.arn_for_objects(f"config/AWSLogs/{self.account}/Config/*")),
        ):
            kept.add_to_resource_policy(
                iam.PolicyStatement(
                    actions=actions,
                    principals=[iam.ServicePrincipal("config.amazonaws.com")],
                    resources=[resource],
                    conditions=own,
                )
            )
        everything = rules.CfnConfigurationRecorder.RecordingGroupProperty(
            all_supported=True, include_global_resource_types=True
        )
        recorder = rules.CfnConfigurationRecorder(
            self, "Recorder", role_arn=role.role_arn, recording_group=everything
        )
        channel = rules.CfnDeliveryChannel(
            self, "Channel", s3_bucket_name=kept.bucket_name, s3_key_prefix="config"
        )
        if kept.policy is not None:
            channel.node.add_dependency(kept.policy)
        return [recorder, channel]

    def _backups(self, config: Config, state: State) -> None:
        vault = backup.BackupVault(
            self, "Vault", backup_vault_name=config.prefix, encryption_key=state.keys.data, block_recovery_point_deletion=True
        )  # fmt: skip
        plan = backup.BackupPlan(self, "Plan", backup_plan_name=config.prefix, backup_vault=vault)
        plan.add_rule(
            backup.BackupPlanRule(
                rule_name="daily",
                schedule_expression=events.Schedule.cron(hour="3", minute="0"),
                delete_after=cdk.Duration.days(35),
            )
        )
        role = iam.Role(self, "BackupRole", assumed_by=iam.ServicePrincipal("backup.amazonaws.com"))
        for name in ("AWSBackupServiceRolePolicyForBackup", "AWSBackupServiceRolePolicyForRestores"):
            role.add_managed_policy(iam.ManagedPolicy.from_aws_managed_policy_name(f"service-role/{name}"))
        plan.add_selection(
            "Tables",
            role=role,
            resources=[
                backup.BackupResource.from_arn(table.table_arn) for table in state.tables.by_name.values()
            ],
        )
