"""DynamoDB's tables, generated from the platform's own models (build/tables.json)."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from config import Config
from constructs import Construct

MODELS = Path(__file__).resolve().parent.parent / "build" / "tables.json"
TYPES = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


class Tables(Construct):
    """One global table (TableV2) for each model; replicas are for failing over only: conditions hold in one region."""

    def __init__(self, scope: Construct, config: Config, key: kms.IKey, models: list[dict[str, Any]]) -> None:
        super().__init__(scope, "Tables")
        self._config, self._key = config, key
        self.by_name = {model["name"]: self._table(model) for model in models}

    def _table(self, model: dict[str, Any]) -> dynamodb.TableV2:
        config = self._config
        return dynamodb.TableV2(
            self,
            "".join(part.title() for part in model["name"].split("-")),
            table_name=f"{config.prefix}-{model['name']}",
            partition_key=_attribute(model, model["hash"]),
            sort_key=_attribute(model, model["range"]) if model["range"] else None,
            global_secondary_indexes=[self._index(model, index) for index in model["indexes"]],
            billing=self._billing(),
            time_to_live_attribute=model["ttl"],
            dynamo_stream=dynamodb.StreamViewType[model["stream"]] if model["stream"] else None,
            encryption=self._encryption(),
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=config.point_in_time_recovery
            ),
            deletion_protection=config.deletion_protection,
            removal_policy=cdk.RemovalPolicy.DESTROY if config.removable else cdk.RemovalPolicy.RETAIN,
            replicas=[dynamodb.ReplicaTableProps(region=region) for region in config.replica_regions] or None,
        )

    def _encryption(self) -> dynamodb.TableEncryptionV2:
        # A replica needs a key of its own region, which the other region's stack makes under the same alias
        account, config = cdk.Stack.of(self).account, self._config
        replicas = {
            region: f"arn:{cdk.Aws.PARTITION}:kms:{region}:{account}:alias/{config.prefix}-data"
            for region in config.replica_regions
        }
        return dynamodb.TableEncryptionV2.customer_managed_key(self._key, replicas or None)

    def _capacity(self) -> dynamodb.Capacity:
        config = self._config
        return dynamodb.Capacity.autoscaled(
            min_capacity=config.table_min_capacity,
            max_capacity=config.table_max_capacity,
            target_utilization_percent=70,
        )

    def _billing(self) -> dynamodb.Billing:
        if self._config.table_billing == "ON_DEMAND":
            return dynamodb.Billing.on_demand()
        return dynamodb.Billing.provisioned(read_capacity=self._capacity(), write_capacity=self._capacity())

    def _index(self, model: dict[str, Any], index: dict[str, Any]) -> dynamodb.GlobalSecondaryIndexPropsV2:
        provisioned = self._config.table_billing == "PROVISIONED"
        return dynamodb.GlobalSecondaryIndexPropsV2(
            index_name=index["name"],
            partition_key=_attribute(model, index["hash"]),
            sort_key=_attribute(model, index["range"]) if index["range"] else None,
            projection_type=dynamodb.ProjectionType[index["projection"]],
            non_key_attributes=index["attributes"] or None,
            read_capacity=self._capacity() if provisioned else None,
            write_capacity=self._capacity() if provisioned else None,
        )


def _attribute(model: dict[str, Any], name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=TYPES[model["types"][name]])


def read_models() -> list[dict[str, Any]]:
    """Read what the models say; ``python -m deploy.tables`` writes it."""
    found: list[dict[str, Any]] = json.loads(MODELS.read_text(encoding="utf-8"))
    return found
