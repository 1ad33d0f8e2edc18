"""What stands around Zappa's functions and API."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

MAPPING = "AWS::Lambda::EventSourceMapping"


@pytest.mark.parametrize("stage", ["production", "dev"])
def test_queues_call_the_worker_with_one_message_at_a_time(stages, stage):
    mappings = [m for m in stages[stage].of(MAPPING, "edge") if "ScalingConfig" in m]
    assert len(mappings) == 3
    for mapping in mappings:
        assert mapping["FunctionName"] == f"qkdplatform-{stage}-worker"
        assert mapping["BatchSize"] == 1
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert mapping["ScalingConfig"]["MaximumConcurrency"] == (5 if stage == "production" else 2)


def test_the_streams_start_at_their_beginning_and_bury_what_always_fails(production):
    streams = [m for m in production.of(MAPPING, "edge") if "StartingPosition" in m]
    assert len(streams) == 2, "of sessions, and of the trail's entries"
    for stream in streams:
        assert stream["StartingPosition"] == "TRIM_HORIZON"
        assert stream["BisectBatchOnFunctionError"] is True
        assert stream["MaximumRetryAttempts"] == 5
        assert stream["DestinationConfig"]["OnFailure"]["Destination"]
        (chosen,) = stream["FilterCriteria"]["Filters"]
        assert json.loads(chosen["Pattern"]) == {"eventName": ["INSERT"]}


def test_event_processing_can_be_off(stages):
    assert stages["pr761"].of(MAPPING, "edge") == []


def test_what_fails_asynchronously_goes_to_the_dead_letters(production):
    found = production.of("AWS::Lambda::EventInvokeConfig", "edge")
    assert {one["FunctionName"] for one in found} == {
        "qkdplatform-production",
        "qkdplatform-production-worker",
    }
    assert all(one["DestinationConfig"]["OnFailure"]["Destination"] for one in found)


def test_the_gateway_answers_with_problem_documents_itself(production):
    found = [
        one
        for one in production.of("AWS::ApiGateway::GatewayResponse", "edge")
        if one["RestApiId"] == "abcde12345"
    ]
    assert {413, 429, 403, 504} <= {int(one.get("StatusCode", 0)) for one in found}
    for one in found:
        for template in one["ResponseTemplates"].values():
            document = json.loads(template)
            assert document["type"].startswith("https://")
            assert "/api/problems/" in document["type"]
            assert str(document.get("status", "")) == one.get("StatusCode", "")
        origin = one["ResponseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert origin == "'https://app.example.com'"
        assert ("gatewayresponse.header.Retry-After" in one["ResponseParameters"]) == (
            one.get("StatusCode") == "429"
        )


def test_one_address_is_limited_by_the_firewall(production, stages):
    (acl,) = production.of("AWS::WAFv2::WebACL", "edge")
    (rule,) = acl["Rules"]
    assert rule["Statement"]["RateBasedStatement"] == {"AggregateKeyType": "IP", "Limit": 2000}
    bound = json.dumps(production.of("AWS::WAFv2::WebACLAssociation", "edge"))
    assert "/restapis/abcde12345/stages/production" in bound
    assert stages["pr761"].of("AWS::WAFv2::WebACL", "edge") == []


def domain_of(stage, name):
    (domain,) = [one for one in stage.of("AWS::ApiGateway::DomainName", "edge") if one["DomainName"] == name]
    return domain


def test_a_domain_of_its_own_can_ask_for_certificates_of_clients(production, stages):
    domain = domain_of(production, "qkd.example.com")
    assert domain["MutualTlsAuthentication"] == {"TruststoreUri": "s3://truststore/ca.pem"}
    assert domain["SecurityPolicy"] == "TLS_1_2"
    assert stages["dev"].of("AWS::ApiGateway::DomainName", "edge") == []


def test_functions_in_a_vpc_reach_every_service_that_they_call(production):
    found = json.dumps(production.of("AWS::EC2::VPCEndpoint", "network"))
    for service in ("dynamodb", "s3", "kms", "sqs", "sns", "secretsmanager", "logs", "xray"):
        assert service in found, service
    assert production.of("AWS::EC2::NatGateway", "network") == []
    assert production.of("AWS::EC2::InternetGateway", "network") == []
    assert "Fn::GetAZs" in json.dumps(production.of("AWS::EC2::Subnet", "network"))


def test_a_private_api_is_reached_by_an_endpoint_which_its_policy_names(stages):
    for stage, count in (("staging", 1), ("production", 0)):
        template = stages[stage].templates["network"]
        assert sum("execute-api" in json.dumps(one) for one in template["Resources"].values()) == count
        assert sum(name == "ApiEndpointId" for name in template["Outputs"]) == count


def test_every_alarm_reaches_somebody_and_says_what_to_do(production):
    alarms = production.of("AWS::CloudWatch::Alarm", "observability")
    assert len(alarms) >= 12
    for alarm in alarms:
        assert alarm["AlarmActions"], alarm["AlarmName"]
        assert "docs/operations.md" in json.dumps(alarm["AlarmDescription"])
    assert len(production.of("AWS::CloudWatch::CompositeAlarm", "observability")) == 1
    assert len(production.of("AWS::Logs::QueryDefinition", "observability")) == 4
    (mail,) = production.of("AWS::SNS::Subscription")
    assert mail["Endpoint"] == "operators@example.com"


def test_config_has_what_records_before_it_takes_a_rule(production):
    """Recorder and channel are made side by side: CloudFormation waits forever where one depends on the other."""
    found = production.templates["governance"]["Resources"]
    kinds = {
        kind: [name for name, one in found.items() if one["Type"] == f"AWS::Config::{kind}"]
        for kind in ("ConfigurationRecorder", "DeliveryChannel", "ConfigRule")
    }
    recorded = {*kinds["ConfigurationRecorder"], *kinds["DeliveryChannel"]}
    assert len(recorded) == 2
    assert len(kinds["ConfigRule"]) > 5
    for rule in kinds["ConfigRule"]:
        assert recorded <= set(found[rule]["DependsOn"])
    for one in recorded:
        assert recorded.isdisjoint(found[one].get("DependsOn", []))


def test_governance_is_one_switch(production, stages):
    kinds = {one["Type"] for one in production.templates["governance"]["Resources"].values()}
    wanted = {"AWS::CloudTrail::Trail", "AWS::Config::ConfigRule", "AWS::Backup::BackupPlan"}
    assert wanted | {"AWS::GuardDuty::Detector", "AWS::SecurityHub::Hub"} <= kinds
    assert "governance" not in stages["dev"].names


def test_an_eavesdropper_on_any_link_raises_an_alarm_on_a_metric_that_the_platform_writes(production):
    alarms = {a["AlarmName"]: a for a in production.of("AWS::CloudWatch::Alarm", "observability")}
    (metric,) = alarms["qkd-production-PlatformVerdicts"]["Metrics"]
    assert metric["Expression"] == (
        "SELECT SUM(Verdicts) FROM SCHEMA(\"QuantumKeys\", link, verdict) WHERE verdict = 'compromised'"
    )
    listed = {one["name"]: one for one in json.loads((ROOT / "build" / "metrics.json").read_text())}
    assert listed["Verdicts"]["dimensions"] == ["link", "verdict"]


def test_every_metric_of_the_platform_has_a_graph(production):
    boards = production.of("AWS::CloudWatch::Dashboard", "observability")
    drawn = json.dumps([board["DashboardBody"] for board in boards])
    for one in json.loads((ROOT / "build" / "metrics.json").read_text()):
        assert f"{one['name']} ({one['unit']}" in drawn


def test_key_delivery_is_behind_mutual_tls_and_nothing_goes_round_it(production):
    (api,) = production.of("AWS::ApiGateway::RestApi", "edge")
    assert api["DisableExecuteApiEndpoint"] is True
    domain = domain_of(production, "kme.example.com")
    assert domain["MutualTlsAuthentication"] == {"TruststoreUri": "s3://truststore/saes.pem"}
    assert domain["SecurityPolicy"] == "TLS_1_2"
    (mapped,) = [
        one
        for one in production.of("AWS::ApiGateway::BasePathMapping", "edge")
        if one["RestApiId"] != "abcde12345"
    ]
    assert "KeyDeliveryDomain" in json.dumps(mapped["DomainName"])
    assert "KeyDeliveryApi" in json.dumps(mapped["RestApiId"])
    methods = production.of("AWS::ApiGateway::Method", "edge")
    assert {one["HttpMethod"] for one in methods} == {"GET", "POST"}
    assert all(
        "function:qkdplatform-production/invocations" in json.dumps(one["Integration"]["Uri"])
        for one in methods
    )


def test_key_delivery_logs_neither_ids_of_keys_nor_bodies(production):
    (stage,) = production.of("AWS::ApiGateway::Stage", "edge")
    logged = stage["AccessLogSetting"]["Format"]
    assert not any(word in logged for word in ("query", "path", "header", "body", "Pem"))
    (limits,) = stage["MethodSettings"]
    assert (limits["DataTraceEnabled"], limits["ThrottlingRateLimit"]) == (False, 1000)


def test_the_gateway_of_key_delivery_answers_as_the_standard_says(production):
    found = [
        one
        for one in production.of("AWS::ApiGateway::GatewayResponse", "edge")
        if one["RestApiId"] != "abcde12345"
    ]
    assert {one.get("StatusCode") for one in found} == {None, "401", "503"}
    assert all('"message"' in one["ResponseTemplates"]["application/json"] for one in found)


def test_without_a_domain_there_is_no_key_delivery(stages):
    assert stages["dev"].of("AWS::ApiGateway::RestApi", "edge") == []
