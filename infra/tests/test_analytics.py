"""The analytics export as Glue, Athena and QuickSight are told of it; and alarms before certificates end."""

import json

import pytest
from conftest import CERTIFICATE, HERE

TABLE, GROUP = "AWS::Glue::Table", "AWS::Athena::WorkGroup"


@pytest.fixture
def described():
    return json.loads((HERE.parent.parent / "build" / "analytics.json").read_text())


def test_there_is_a_table_of_glue_for_each_table_of_the_export_with_its_columns(production, described):
    found = {one["TableInput"]["Name"]: one["TableInput"] for one in production.of(TABLE, "analytics")}
    assert found.keys() == {f"qkd_{table['name']}_rows" for table in described}
    for table in described:
        told = found[f"qkd_{table['name']}_rows"]
        columns = told["StorageDescriptor"]["Columns"]
        assert [[one["Name"], one["Type"]] for one in columns] == table["columns"]
        assert told["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
        assert told["Parameters"] == table["parameters"]
        assert f"/analytics/{table['name']}/" in json.dumps(told["StorageDescriptor"]["Location"])


def test_a_saved_query_makes_the_view_that_has_each_row_once(production, described):
    queries = {one["QueryString"] for one in production.of("AWS::Athena::NamedQuery", "analytics")}
    assert queries == {table["view"] for table in described}
    assert all("SELECT DISTINCT" in query for query in queries)


def test_results_are_encrypted_by_our_key_limited_and_end(production):
    (group,) = production.of(GROUP, "analytics")
    told = group["WorkGroupConfiguration"]
    assert told["EnforceWorkGroupConfiguration"] is True
    assert told["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert told["BytesScannedCutoffPerQuery"] == 10 * 2**30
    (exports,) = [b for b in production.of("AWS::S3::Bucket") if "-exports" in json.dumps(b["BucketName"])]
    rules = exports["LifecycleConfiguration"]["Rules"]
    (ends,) = [rule for rule in rules if rule.get("Prefix") == "athena/"]
    assert ends["ExpirationInDays"] == 7
    # The bucket has versions: without this, what ended would stay under a mark of deletion
    assert ends["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_quicksight_has_the_workgroup_as_its_source_where_somebody_is_named(production):
    (source,) = production.of("AWS::QuickSight::DataSource", "analytics")
    assert source["Type"] == "ATHENA"
    assert "AthenaParameters" in source["DataSourceParameters"]
    assert source["Permissions"][0]["Principal"].endswith("group/default/analysts")


def test_a_stage_without_the_export_has_no_such_stack(stages):
    assert "analytics" not in stages["dev"].names


def test_an_alarm_comes_before_the_certificate_of_a_domain_ends(production, stages):
    alarms = production.of("AWS::CloudWatch::Alarm", "observability")
    found = [one for one in alarms if one.get("MetricName") == "DaysToExpiry"]
    assert len(found) == 2, "of the API, and of key delivery"
    for alarm in found:
        assert (alarm["Namespace"], alarm["Threshold"]) == ("AWS/CertificateManager", 30)
        assert alarm["ComparisonOperator"] == "LessThanThreshold"
        assert alarm["Dimensions"] == [{"Name": "CertificateArn", "Value": CERTIFICATE}]
        assert alarm["AlarmActions"]
    others = stages["dev"].of("AWS::CloudWatch::Alarm", "observability")
    assert not [one for one in others if one.get("MetricName") == "DaysToExpiry"], "no domain, no certificate"
