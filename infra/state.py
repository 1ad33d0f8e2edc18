"""The stack of what has state. It comes first; Zappa's functions and API, and then the edge, stand on it."""

import json
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from buckets import Buckets
from config import Config
from constructs import Construct
from identity import Identity
from keys import Keys
from queues import Queues
from replication import Replication
from roles import Roles
from tables import Tables

# Made by Secrets Manager one by one; `deploy` puts them together, so that one call reads them all
SECRET_LENGTH = 64


class State(cdk.Stack):
    """Tables, buckets, queues, keys, secrets, identities, logs and roles of a stage."""

    def __init__(
        self,
        scope: Construct,
        config: Config,
        models: list[dict[str, Any]],
        scopes: list[str],
        **more: Any,
    ) -> None:
        # Whether it may be removed says a step of the deployment: no template can
        super().__init__(scope, f"{config.prefix}-state", **more)
        self.config = config
        self.keys = Keys(self, config)
        self.tables = Tables(self, config, self.keys.data, models)
        self.queues = Queues(self, config, self.keys.messages)
        self.buckets = Buckets(self, config, self.keys.data, self.queues.upload_events)
        if config.bodies_replica_arn:
            Replication(self, config, self.keys.data, self.buckets)
        self.alerts = self._alerts()
        self.bus = events.EventBus(self, "Bus", event_bus_name=config.prefix)  # of domain events
        self.secret = self._secret("platform", "Secrets of the platform; `make deploy` fills it once")
        self.operator = self._secret("first-operator", "What `manage.py bootstrap --into` made")
        self.log_groups = [self._log_group(name) for name in (config.api_function, config.worker_function)]
        self.roles = None if config.role_arn else Roles(self, config, self.keys)
        makes_pool = config.auth_method == "cognito" and not config.user_pool_id
        self.identity = Identity(self, config, scopes) if makes_pool else None
        self._output()

    def _secret(self, name: str, about: str) -> secretsmanager.Secret:
        return secretsmanager.Secret(
            self,
            "".join(part.title() for part in name.split("-")) + "Secret",
            secret_name=f"{self.config.prefix}/{name}",
            description=about,
            encryption_key=self.keys.data,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({}), generate_string_key="SEED", password_length=SECRET_LENGTH,
                exclude_punctuation=True,
            ),
            removal_policy=cdk.RemovalPolicy.DESTROY if self.config.removable else cdk.RemovalPolicy.RETAIN,
        )  # fmt: skip

    def _alerts(self) -> sns.Topic:
        topic = sns.Topic(
            self,
            "Alerts",
            topic_name=f"{self.config.prefix}-alerts",
            master_key=self.keys.messages,
            enforce_ssl=True,
        )
        if self.config.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(self.config.alarm_email))
        return topic

    def _log_group(self, function: str) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            "".join(part.title() for part in function.split("-")) + "Logs",
            log_group_name=f"/aws/lambda/{function}",
            encryption_key=self.keys.data,
            retention=logs.RetentionDays[_RETENTION[self.config.log_retention_days]],
            removal_policy=cdk.RemovalPolicy.DESTROY if self.config.removable else cdk.RemovalPolicy.RETAIN,
        )

    def _output(self) -> None:
        found = {
            "ApiRoleArn": self.roles.api.role_arn if self.roles else self.config.role_arn,
            "WorkerRoleArn": self.roles.worker.role_arn if self.roles else self.config.role_arn,
            "RootKey": self.keys.root.key_arn,
            "UploadsBucket": self.buckets.uploads.bucket_name,
            "EncryptedBucket": self.buckets.encrypted.bucket_name,
            "DownloadsBucket": self.buckets.downloads.bucket_name,
            "CheckpointsBucket": self.buckets.checkpoints.bucket_name,
            "ExportsBucket": self.buckets.exports.bucket_name,
            "AccessLogsBucket": self.buckets.logs.bucket_name,  # emptied before it is removed
            "JobsQueueUrl": self.queues.jobs.queue_url,
            "JobsQueueArn": self.queues.jobs.queue_arn,
            "CustodyQueueUrl": self.queues.custody.queue_url,
            "UploadEventsQueueArn": self.queues.upload_events.queue_arn,
            "DeadLettersQueueArn": self.queues.dead_letters.queue_arn,
            "AlertTopicArn": self.alerts.topic_arn,
            "EventBusName": self.bus.event_bus_name,
            "SessionsStreamArn": self.tables.by_name["sessions"].table_stream_arn or "",
            "SecretId": f"{self.config.prefix}/platform",
            "OperatorSecretId": f"{self.config.prefix}/first-operator",
        }
        if self.keys.checkpoints:
            found["CheckpointsKey"] = self.keys.checkpoints.key_arn
        if self.identity:
            found |= {
                "UserPoolId": self.identity.pool.user_pool_id,
                "MachinesClientId": self.identity.machines.user_pool_client_id,
                "PeopleClientId": self.identity.people.user_pool_client_id,
            }
        for name, value in found.items():
            cdk.CfnOutput(self, name, value=value)


_RETENTION = {
    1: "ONE_DAY", 3: "THREE_DAYS", 5: "FIVE_DAYS", 7: "ONE_WEEK", 14: "TWO_WEEKS", 30: "ONE_MONTH", 60: "TWO_MONTHS",
    90: "THREE_MONTHS", 120: "FOUR_MONTHS", 150: "FIVE_MONTHS", 180: "SIX_MONTHS", 365: "ONE_YEAR",
    400: "THIRTEEN_MONTHS", 545: "EIGHTEEN_MONTHS", 731: "TWO_YEARS", 1096: "THREE_YEARS", 1827: "FIVE_YEARS",
    2192: "SIX_YEARS", 2557: "SEVEN_YEARS", 2922: "EIGHT_YEARS", 3653: "TEN_YEARS",
}  # fmt: skip
