"""What has state: kept, encrypted, private, and as the platform's own models say."""

import json

import pytest

TABLE, BUCKET, QUEUE = "AWS::DynamoDB::GlobalTable", "AWS::S3::Bucket", "AWS::SQS::Queue"


def by_name(resources, key):
    return {resource[key]: resource for resource in resources}


def test_there_is_a_table_for_each_model_with_its_keys_and_indexes(production, models):
    found = by_name(production.of(TABLE), "TableName")
    assert found.keys() == {f"qkd-production-{model['name']}" for model in models}
    for model in models:
        table = found[f"qkd-production-{model['name']}"]
        keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
        assert (keys["HASH"], keys.get("RANGE")) == (model["hash"], model["range"])
        assert {a["AttributeName"]: a["AttributeType"] for a in table["AttributeDefinitions"]} == model[
            "types"
        ]
        indexes = by_name(table.get("GlobalSecondaryIndexes", []), "IndexName")
        assert indexes.keys() == {index["name"] for index in model["indexes"]}
        for index in model["indexes"]:
            schema = {key["KeyType"]: key["AttributeName"] for key in indexes[index["name"]]["KeySchema"]}
            assert (schema["HASH"], schema.get("RANGE")) == (index["hash"], index["range"])
            assert indexes[index["name"]]["Projection"]["ProjectionType"] == index["projection"]


def test_rows_end_by_themselves_in_the_tables_whose_models_say_so(production, models):
    found = by_name(production.of(TABLE), "TableName")
    for model in models:
        told = found[f"qkd-production-{model['name']}"].get("TimeToLiveSpecification")
        assert told == ({"AttributeName": "ttl", "Enabled": True} if model["ttl"] else None)
    assert sum(bool(model["ttl"]) for model in models) >= 2


def test_every_table_is_encrypted_by_our_key_recoverable_and_protected(production):
    for table in production.of(TABLE):
        assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS"}
        (replica,) = table["Replicas"]
        assert "Fn::GetAtt" in replica["SSESpecification"]["KMSMasterKeyId"]
        assert replica["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert replica["DeletionProtectionEnabled"] is True
        assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_only_sessions_and_the_trail_have_a_stream(production):
    streams = {
        t["TableName"]: t["StreamSpecification"] for t in production.of(TABLE) if "StreamSpecification" in t
    }
    assert streams == {
        "qkd-production-sessions": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "qkd-production-audit": {"StreamViewType": "NEW_IMAGE"},
    }


def test_provisioned_tables_scale_by_themselves(stages):
    for table in stages["pr761"].of(TABLE):
        assert table["BillingMode"] == "PROVISIONED"
        scaling = table["WriteProvisionedThroughputSettings"]["WriteCapacityAutoScalingSettings"]
        assert (scaling["MinCapacity"], scaling["MaxCapacity"]) == (5, 200)


def test_a_replica_has_a_key_of_its_own_region(stages):
    for table in stages["staging"].of(TABLE):
        regions = {
            replica["Region"]: replica["SSESpecification"]["KMSMasterKeyId"] for replica in table["Replicas"]
        }
        assert regions.keys() == {"us-east-1", "eu-west-1"}
        assert "kms:eu-west-1" in json.dumps(regions["eu-west-1"])


@pytest.mark.parametrize("stage", ["production", "dev", "pr761", "staging"])
def test_every_bucket_is_private_encrypted_and_reached_by_tls_only(stages, stage):
    found = stages[stage].templates["state"]["Resources"]
    buckets = {name: one["Properties"] for name, one in found.items() if one["Type"] == BUCKET}
    policies = [one["Properties"] for one in found.values() if one["Type"] == "AWS::S3::BucketPolicy"]
    assert len(buckets) == 6
    for name, bucket in buckets.items():
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        (policy,) = [p for p in policies if p["Bucket"] == {"Ref": name}]
        denied = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Deny"]
        assert any(s["Condition"].get("Bool") == {"aws:SecureTransport": "false"} for s in denied)
        if "access-logs" not in str(bucket["BucketName"]):
            assert bucket["LoggingConfiguration"]["LogFilePrefix"]
            assert (
                bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["BucketKeyEnabled"] is True
            )


def test_buckets_are_named_after_the_account_too(production):
    names = {bucket["BucketName"] for bucket in production.of(BUCKET)}
    kinds = ("uploads", "encrypted", "downloads", "checkpoints", "exports", "access-logs")
    assert names == {f"qkd-production-123456789012-{kind}" for kind in kinds}


def test_checkpoints_are_locked_and_uploads_and_copies_end(production):
    found = {b["BucketName"].rsplit("-", 1)[-1]: b for b in production.of(BUCKET)}
    assert found["checkpoints"]["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {
        "Mode": "GOVERNANCE",
        "Days": 365,
    }
    assert found["uploads"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 7
    assert found["downloads"]["LifecycleConfiguration"]["Rules"][0]["ExpirationInDays"] == 1
    (moved,) = found["encrypted"]["LifecycleConfiguration"]["Rules"][0]["Transitions"]
    assert moved["StorageClass"] == "INTELLIGENT_TIERING"
    for name in ("uploads", "encrypted", "checkpoints"):
        assert found[name]["VersioningConfiguration"] == {"Status": "Enabled"}


def test_every_upload_and_every_thawed_body_makes_a_message_and_nothing_else_is_made_for_it(production):
    told = {
        b["BucketName"].rsplit("-", 1)[-1]: [
            one["Event"] for one in b["NotificationConfiguration"]["QueueConfigurations"]
        ]
        for b in production.of(BUCKET)
        if "NotificationConfiguration" in b
    }
    assert told == {"uploads": ["s3:ObjectCreated:*"], "encrypted": ["s3:ObjectRestore:Completed"]}
    kinds = {one["Type"] for t in production.templates.values() for one in t["Resources"].values()}
    assert "AWS::Lambda::Function" not in kinds - {"AWS::Lambda::Permission"}
    assert not any(kind.startswith("Custom::S3") for kind in kinds)
    (policy,) = [
        p
        for p in production.of("AWS::SQS::QueuePolicy")
        if any("s3.amazonaws.com" in json.dumps(s) for s in p["PolicyDocument"]["Statement"])
    ]
    (sent,) = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert sent["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
    sources = json.dumps(sent["Condition"]["ArnEquals"]["aws:SourceArn"])
    assert "123456789012-uploads" in sources
    assert "123456789012-encrypted" in sources


def test_browsers_may_use_presigned_addresses_of_the_console_s_own_origins_only(production):
    for bucket in production.of(BUCKET):
        rules = bucket.get("CorsConfiguration", {}).get("CorsRules", [])
        for rule in rules:
            assert rule["AllowedOrigins"] == ["https://qkd.example.com", "https://app.example.com"]
        assert bool(rules) == bucket["BucketName"].endswith(("-uploads", "-downloads"))


@pytest.mark.parametrize("stage", ["production", "dev"])
def test_queues_wait_six_times_as_long_as_the_worker_may_run_and_keep_what_fails(stages, stage):
    queues = by_name(stages[stage].of(QUEUE), "QueueName")
    names = ("jobs", "custody", "upload-events", "dead-letters")
    assert queues.keys() == {f"qkd-{stage}-{name}" for name in names}
    for name, queue in queues.items():
        assert "Fn::GetAtt" in queue["KmsMasterKeyId"]
        assert queue["MessageRetentionPeriod"] == 14 * 86_400
        if not name.endswith("dead-letters"):
            assert queue["VisibilityTimeout"] == 6 * 900
            assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


def test_keys_turn_and_wait_before_they_end(stages):
    for stage, days in (("production", 30), ("dev", 7)):
        keys = stages[stage].of("AWS::KMS::Key")
        assert {key["PendingWindowInDays"] for key in keys} == {days}
        encrypting = [key for key in keys if "KeySpec" not in key]
        assert [key["EnableKeyRotation"] for key in encrypting] == [True] * 3


def test_a_stage_that_asks_for_it_signs_checkpoints_with_a_key_of_its_own(stages):
    assert not any("KeySpec" in key for key in stages["dev"].of("AWS::KMS::Key"))
    [key] = [key for key in stages["production"].of("AWS::KMS::Key") if "KeySpec" in key]
    assert (key["KeySpec"], key["KeyUsage"]) == ("ML_DSA_65", "SIGN_VERIFY")
    for stage, count in (("production", 1), ("dev", 0)):
        found = [s for p in stages[stage].of("AWS::IAM::Policy") for s in p["PolicyDocument"]["Statement"]]
        assert sum("kms:Sign" in s["Action"] for s in found) == count, "the worker's alone"


def test_logs_are_kept_for_as_long_as_told_and_encrypted(stages):
    for stage, days in (("production", 365), ("dev", 14), ("pr761", 3)):
        groups = stages[stage].of("AWS::Logs::LogGroup")
        assert {group["RetentionInDays"] for group in groups} == {days}
        assert all("KmsKeyId" in group for group in groups)
        assert {group["LogGroupName"] for group in groups} == {
            f"/aws/lambda/qkdplatform-{stage}",
            f"/aws/lambda/qkdplatform-{stage}-worker",
        }


def test_people_sign_in_to_the_pool_with_a_second_factor_where_it_is_required(production):
    (pool,) = production.of("AWS::Cognito::UserPool")
    assert pool["MfaConfiguration"] == "ON"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert pool["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] is True
    (server,) = production.of("AWS::Cognito::UserPoolResourceServer")
    assert "messages:encrypt" in {scope["ScopeName"] for scope in server["Scopes"]}


def test_data_stays_when_a_protected_stage_is_removed_and_goes_with_a_throwaway_one(stages):
    for stage, policy in (("production", "Retain"), ("pr761", "Delete")):
        for name, one in stages[stage].templates["state"]["Resources"].items():
            if one["Type"] in {TABLE, BUCKET, "AWS::KMS::Key", "AWS::SecretsManager::Secret"}:
                assert one["DeletionPolicy"] == policy, name


@pytest.mark.parametrize("stage", ["production", "dev", "pr761", "staging"])
def test_every_bucket_is_among_the_outputs_so_that_it_is_emptied_before_it_is_removed(stages, stage):
    template = stages[stage].templates["state"]
    told = [one["Value"] for name, one in template["Outputs"].items() if name.endswith("Bucket")]
    assert sorted(value["Ref"] for value in told) == sorted(
        name for name, one in template["Resources"].items() if one["Type"] == BUCKET
    )


def test_bodies_and_checkpoints_are_replicated_where_it_is_told_where_to(stages):
    for stage, names in (("production", ("encrypted", "checkpoints")), ("dev", ())):
        found = {
            bucket["BucketName"].rsplit("-", 1)[-1]: bucket["ReplicationConfiguration"]
            for bucket in stages[stage].of(BUCKET)
            if "ReplicationConfiguration" in bucket
        }
        assert found.keys() == set(names)
        for told in found.values():
            (rule,) = told["Rules"]
            assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
            assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}
            assert "replicas" in rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]
        roles = [
            role
            for role in stages[stage].of("AWS::IAM::Role")
            if "s3.amazonaws.com" in json.dumps(role["AssumeRolePolicyDocument"])
        ]
        assert len(roles) == bool(names)
