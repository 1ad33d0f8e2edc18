"""The stack of the analytics export: Glue's tables over its files, a workgroup of Athena, and QuickSight's data source if wanted.

Columns and tables are those of ``apps/exports/analytics.py``, by way of build/analytics.json: one definition.
"""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_glue as glue
from aws_cdk import aws_quicksight as quicksight
from config import Config
from constructs import Construct
from state import State

RESULTS = "athena/"  # in the bucket of exports, whose lifecycle ends them
MOST_SCANNED = 10 * 2**30  # bytes of one query: five US cents
TEXT = "org.apache.hadoop.mapred.TextInputFormat"
OUT = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
# What somebody with QuickSight's rights on the data source may do
OWNERS = (
    *(f"quicksight:{verb}DataSource" for verb in ("Describe", "Pass", "Update", "Delete")),
    *(f"quicksight:{verb}DataSourcePermissions" for verb in ("Describe", "Update")),
)


class Analytics(cdk.Stack):
    """A database of a stage's files in ``analytics/``; a query reads each row once by the named queries' views."""

    def __init__(
        self, scope: Construct, config: Config, state: State, *, tables: list[dict[str, Any]], **more: Any
    ) -> None:
        super().__init__(scope, f"{config.prefix}-analytics", **more)
        self.config, self.state = config, state
        self.database = config.prefix.replace("-", "_")
        made = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=self.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=self.database, description="Sessions, verdicts, usage and cases, from the trail"
            ),
        )
        group = self._workgroup()
        for table in tables:
            self._table(table).add_dependency(made)
            self._view(table, group).add_dependency(made)
        if config.quicksight_principal_arn:
            self._quicksight(group)
        cdk.CfnOutput(self, "AthenaWorkgroup", value=group.name)
        cdk.CfnOutput(self, "GlueDatabase", value=self.database)

    @property
    def _bucket(self) -> str:
        return self.state.buckets.exports.bucket_name

    def _table(self, table: dict[str, Any]) -> glue.CfnTable:
        """A table whose days need not be added: Athena works them out."""
        name = str(table["name"])
        columns = [glue.CfnTable.ColumnProperty(name=column, type=kind) for column, kind in table["columns"]]
        storage = glue.CfnTable.StorageDescriptorProperty(
            columns=columns,
            location=f"s3://{self._bucket}/analytics/{name}/",
            input_format=TEXT,
            output_format=OUT,
            serde_info=glue.CfnTable.SerdeInfoProperty(
                serialization_library="org.openx.data.jsonserde.JsonSerDe"
            ),
        )
        return glue.CfnTable(
            self,
            f"{name.title()}Rows",
            catalog_id=self.account,
            database_name=self.database,
            table_input=glue.CfnTable.TableInputProperty(
                name=f"qkd_{name}_rows",
                table_type="EXTERNAL_TABLE",
                partition_keys=[glue.CfnTable.ColumnProperty(name="day", type="string")],
                parameters=table["parameters"],
                storage_descriptor=storage,
            ),
        )

    def _view(self, table: dict[str, Any], group: athena.CfnWorkGroup) -> athena.CfnNamedQuery:
        """What makes the view that has each row once; run once by whoever looks first."""
        query = athena.CfnNamedQuery(
            self,
            f"{str(table['name']).title()}View",
            database=self.database,
            name=f"{self.config.prefix}: make the view of {table['name']}",
            query_string=str(table["view"]),
            work_group=group.name,
        )
        query.add_dependency(group)
        return query

    def _workgroup(self) -> athena.CfnWorkGroup:
        encryption = athena.CfnWorkGroup.EncryptionConfigurationProperty(
            encryption_option="SSE_KMS", kms_key=self.state.keys.data.key_arn
        )
        return athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=f"{self.config.prefix}-analytics",
            recursive_delete_option=self.config.removable,
            work_group_configuration=athena.CfnWorkGroup.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=MOST_SCANNED,
                result_configuration=athena.CfnWorkGroup.ResultConfigurationProperty(
                    output_location=f"s3://{self._bucket}/{RESULTS}", encryption_configuration=encryption
                ),
            ),
        )

    def _quicksight(self, group: athena.CfnWorkGroup) -> None:
        """A data source that QuickSight's own role reads by: it needs the bucket and the data key, see docs/deployment.md."""
        source = quicksight.CfnDataSource(
            self,
            "QuickSight",
            aws_account_id=self.account,
            data_source_id=f"{self.config.prefix}-analytics",
            name=f"{self.config.prefix} analytics",
            type="ATHENA",
            data_source_parameters=quicksight.CfnDataSource.DataSourceParametersProperty(
                athena_parameters=quicksight.CfnDataSource.AthenaParametersProperty(work_group=group.name)
            ),
            ssl_properties=quicksight.CfnDataSource.SslPropertiesProperty(disable_ssl=False),
            permissions=[
                quicksight.CfnDataSource.ResourcePermissionProperty(
                    principal=self.config.quicksight_principal_arn, actions=list(OWNERS)
                )
            ],
        )
        source.add_dependency(group)
