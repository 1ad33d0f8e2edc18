"""The proof: a clean embedded cloud takes the stacks, Zappa deploys the package, and a client drives what stands there.

Only what ``left_out.toml`` names is left out. Needs Node. Minutes, so it is marked slow; ``make e2e-deploy`` runs it.
"""

import base64
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path

import pytest
import requests

from apps.stack import testing
from apps.stack.backups import extract
from apps.stack.configuration import ROOT
from deploy import steps
from deploy.__main__ import backup, rollback
from deploy.cloud import Cloud, DeployFailed
from deploy.removal import refuse_unless_confirmed, undeploy
from deploy.stages import BadStage, read_config
from deploy.steps import STEPS, Deployment
from qkdseal.__main__ import main as qkdseal
from tests import requirement
from tests.platform.test_lambda_handler import rest_event

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(shutil.which("node") is None, reason="the CDK needs Node"),
]
LEFT_OUT = tomllib.loads((Path(__file__).parent / "left_out.toml").read_text())
STAGE, ACCOUNT = "pr1", "123456789012"
STAGES = """
[throwaway]
account = "{account}"
deletion_protection = false
max_receives = 1
[throwaway.variables]
ALLOWED_HOSTS = "127.0.0.1"
BASE_URL = "{endpoint}"
SECURE_SSL_REDIRECT = "false"
AWS_ENDPOINT_URL = "{endpoint}"
"""


class Cluster:
    """A clean embedded cloud with one deployed stage."""

    def __init__(self, folder, monkeypatch):
        self.port = testing.free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        for name, value in {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "STAGES": str(folder / "stages.toml"),
            "DATABASE_URL": f"sqlite:///{folder}/console.sqlite3",
        }.items():
            monkeypatch.setenv(name, value)
        (folder / "stages.toml").write_text(STAGES.format(account=ACCOUNT, endpoint=self.endpoint))
        own = {
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "GATEWAY_PORT": str(self.port),
            "S3_DATA_DIR": str(folder / "s3"),
        }
        # Nothing else of this process: functions inherit it
        own |= {
            name: os.environ[name]
            for name in (
                "PATH",
                "AWS_ENDPOINT_URL",
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_DEFAULT_REGION",
            )
        }
        own |= {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "STATE_DIR": str(folder / "state")}
        program = [str(ROOT / ".venv-stack" / "bin" / "python"), "-m", "hypercorn", "ministack.app:app"]
        self.process = subprocess.Popen([*program, "--bind", f"127.0.0.1:{self.port}"], cwd=folder, env=own)
        testing._wait(self.process, self.port)
        self.left_out = set()
        self.deployment = Deployment(read_config(STAGE), Cloud("us-east-1"), adapt=self.adapt)

    def adapt(self, template):
        kept = {}
        for name, one in template["Resources"].items():
            kind = one["Type"] + (" with Metrics" if "Metrics" in one.get("Properties", {}) else "")
            if kind in LEFT_OUT:
                self.left_out.add(kind)
            if (
                kind == "AWS::CloudWatch::Alarm with Metrics"
            ):  # others name it, so it stays, with another metric
                del one["Properties"]["Metrics"]
                one["Properties"] |= {
                    "Namespace": "Any",
                    "MetricName": "Any",
                    "Statistic": "Sum",
                    "Period": 300,
                }
            elif kind in LEFT_OUT:
                continue
            kept[name] = one
        return template | {"Resources": kept}

    def deploy(self):
        for name, step in STEPS:
            if name != "smoke":  # the stage's address there is another than API Gateway's
                step(self.deployment)
            if name == "state":  # what CloudFormation there leaves of the template
                self.deployment.cloud.client("s3").put_object_lock_configuration(
                    Bucket=self.deployment.outputs["CheckpointsBucket"],
                    ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"},
                )

    def operator(self):
        manager = self.deployment.cloud.client("secretsmanager")
        return json.loads(manager.get_secret_value(SecretId=f"qkd-{STAGE}/first-operator")["SecretString"])

    def call(self, method, path, **more):
        url = f"{self.endpoint}/restapis/{self.deployment.api_id}/{STAGE}/_user_request_{path}"
        headers = {"X-API-Key": self.operator()["api_key"]} | more.pop("headers", {})
        return requests.request(method, url, headers=headers, timeout=120, allow_redirects=False, **more)

    def until(self, path, field, wanted, seconds=180):
        deadline = time.monotonic() + seconds
        while (found := self.call("GET", path).json())[field] not in wanted:
            assert time.monotonic() < deadline, found
            time.sleep(1)
        return found


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    monkeypatch = pytest.MonkeyPatch()
    made = Cluster(tmp_path_factory.mktemp("cloud"), monkeypatch)
    try:
        made.deploy()
        yield made
    finally:
        made.process.terminate()
        made.process.wait(60)
        monkeypatch.undo()


@requirement("G1", "G2")
def test_all_stacks_are_taken_but_for_what_the_list_says(cluster):
    cloud = cluster.deployment.cloud
    for name in ("state", "edge", "observability"):
        assert cloud.status(f"qkd-{STAGE}-{name}") in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    assert cluster.left_out == LEFT_OUT.keys(), "take what the embedded cloud knows by now off the list"


@requirement("G1", "E1")
def test_a_message_is_encrypted_and_decrypted_behind_the_gateway(cluster):
    sealed = cluster.call("POST", "/api/v1/encrypt", json={"plaintext": "attack at dawn"})
    assert sealed.status_code == 200, sealed.text
    opened = cluster.call("POST", "/api/v1/decrypt", json=sealed.json())
    assert opened.json()["plaintext"] == "attack at dawn"


@requirement("B1", "G1")
def test_a_session_is_judged_from_the_stream(cluster):
    made = cluster.call("POST", "/api/v1/qkd/generate", json={"key_length": 256, "error_rate": 0.02}).json()
    assert cluster.until(f"/api/v1/qkd/session/{made['session_id']}", "status", {"ready"})


@requirement("C1", "G1")
def test_an_upload_is_encrypted_by_its_event_and_comes_back_the_same(cluster):
    content = os.urandom(200_000)
    made = cluster.call("POST", "/api/v1/files", json={"name": "a.bin"}).json()
    assert requests.put(made["upload_url"], data=content, timeout=60).status_code == 200
    address = f"/api/v1/files/{made['file']['file_id']}"
    cluster.until(address, "status", {"encrypted"})
    # By the function itself: the gateway there sends the Base64 of a binary answer under the length of its content
    asked = rest_event(
        "GET",
        f"files/{made['file']['file_id']}/content",
        key=cluster.operator()["api_key"],
        headers={"Host": "127.0.0.1"},
    )
    answer = cluster.deployment.cloud.invoke(f"qkdplatform-{STAGE}", asked)
    assert base64.b64decode(answer["body"]) == content


@requirement("C6", "G1")
def test_a_job_is_done_by_the_worker_function(cluster):
    asked = {"key_length": 256, "error_rate": 0.02, "count": 2}
    job = cluster.call("POST", "/api/v1/qkd/batches", json=asked).json()
    found = cluster.until(f"/api/v1/jobs/{job['job_id']}", "state", {"succeeded", "failed"})
    assert (found["state"], found["done"]) == ("succeeded", 2)


@requirement("F1", "G1")
def test_the_console_has_its_static_files_and_the_operator_signs_in(cluster):
    page = cluster.call("GET", "/accounts/login/")
    assert page.status_code == 200
    (sheet,) = re.findall(r'href="([^"]*admin/css/base[^"]*)"', page.text)
    assert cluster.call("GET", sheet).headers["Content-Type"].startswith("text/css")
    token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)[0]
    operator = cluster.operator()
    form = {"login": operator["user"], "password": operator["password"], "csrfmiddlewaretoken": token}
    cookie = "; ".join(f"{c.name}={c.value}" for c in page.cookies)
    headers = {"Cookie": cookie, "Referer": f"{cluster.endpoint}/", "Origin": cluster.endpoint}
    answer = cluster.call("POST", "/accounts/login/?next=/admin/", data=form, headers=headers)
    assert answer.status_code == 302, answer.text[:500]
    assert "qkd_session" in answer.headers["Set-Cookie"]


@requirement("G1", "C5")
def test_the_schedules_call_the_worker(cluster):
    events = cluster.deployment.cloud.client("events")
    rules = {rule["Name"]: rule["ScheduleExpression"] for rule in events.list_rules()["Rules"]}
    for schedule, expression in (("sweep", "rate(5 minutes)"), ("rotate", "rate(1 day)")):
        (name,) = [name for name in rules if name.endswith(f"qkdplatform.schedules.{schedule}")]
        assert rules[name] == expression
        (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
        assert target["Arn"].endswith(f":qkdplatform-{STAGE}-worker")


@requirement("G1", "C5")
def test_a_schedule_fires(cluster):
    cloud = cluster.deployment.cloud
    (name,) = [
        rule["Name"]
        for rule in cloud.client("events").list_rules()["Rules"]
        if rule["Name"].endswith("qkdplatform.schedules.refill")
    ]

    def begun():
        rows = cloud.client("dynamodb").scan(TableName=f"qkd-{STAGE}-turns", ConsistentRead=True)["Items"]
        return sorted(str(row["started_at"]) for row in rows if row["schedule"]["S"] == "refill")

    before = begun()
    cloud.client("events").put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    deadline = time.monotonic() + 240
    while begun() == before:  # it was last run by the step of the deployment
        assert time.monotonic() < deadline
        time.sleep(2)


@requirement("G1")
def test_a_poison_message_ends_in_the_dead_letters_and_what_is_mended_is_done(cluster):
    cloud = cluster.deployment.cloud
    sqs = cloud.client("sqs")
    url = sqs.get_queue_url(QueueName=f"qkd-{STAGE}-jobs")["QueueUrl"]
    dead = sqs.get_queue_url(QueueName=f"qkd-{STAGE}-dead-letters")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="poison")
    deadline = time.monotonic() + 240
    while not (
        found := sqs.receive_message(QueueUrl=dead, VisibilityTimeout=0, WaitTimeSeconds=2).get("Messages")
    ):
        assert time.monotonic() < deadline
    assert found[0]["Body"] == "poison"
    # An event that Lambda gave up, as its document in the queue holds it
    event = {
        "source": "aws.events",
        "resources": ["arn:aws:events:us-east-1:1:rule/x-qkdplatform.schedules.refill"],
    }
    sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"requestPayload": event}))
    with pytest.raises(DeployFailed, match="1 of 2 dead letters are done"):
        steps.manage(cluster.deployment, "redrive")
    counted = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["All"])["Attributes"]
    left = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    assert sum(int(counted[name]) for name in left) == 1, "the poison stays"


@requirement("G1", "G8")
def test_the_main_job_of_make_e2e_passes_on_the_stage(cluster):
    address = f"{cluster.endpoint}/restapis/{cluster.deployment.api_id}/{STAGE}/_user_request_"
    # Not 65 MiB, and not the console: the gateway there has an address that the stage does not know
    words = ["-m", "e2e", "-k", "not console and not 65-MiB", "-q", "-n", "0", "tests/e2e/test_main_job.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=ROOT,
        env=os.environ | {"E2E_URL": address, "QKD_API_KEY": cluster.operator()["api_key"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert " passed" in done.stdout


@requirement("G5")
def test_a_backup_of_the_stage_is_made_at_rest_and_opens_and_the_stage_goes_on(cluster, tmp_path, capsys):
    assert qkdseal(["recipient", "-o", str(tmp_path / "me.json")]) == 0
    (tmp_path / "public.json").write_text(capsys.readouterr().out)
    assert backup(cluster.deployment, [str(tmp_path / "public.json"), str(tmp_path / "backup")]) == 0
    assert extract(tmp_path / "backup", key=tmp_path / "me.json", target=tmp_path / "opened") > 0
    tables = {path.name for path in (tmp_path / "opened" / "tables").iterdir()}
    assert {"audit", "files", "pool-keys", "sessions"} <= tables
    assert "operator" in (tmp_path / "opened" / "users.json").read_text()
    assert cluster.call("POST", "/api/v1/encrypt", json={"plaintext": "after it"}).status_code == 200


@requirement("G1", "G8")
def test_another_package_is_deployed_and_the_one_before_comes_back(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(steps, "smoke", lambda _: None)  # the stage's address there is another
    cloud, bucket = cluster.deployment.cloud, cluster.deployment.bucket
    functions = [f"qkdplatform-{STAGE}", f"qkdplatform-{STAGE}-worker"]

    def running():
        found = [cloud.client("lambda").get_function_configuration(FunctionName=name) for name in functions]
        return [base64.b64decode(one["CodeSha256"]).hex() for one in found]

    before, other = running(), tmp_path / "other.zip"
    shutil.copyfile(steps.BUILD / "package.zip", other)
    with zipfile.ZipFile(other, "a") as package:
        package.writestr("another.txt", "a later version")
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    runtime = cluster.deployment.package["runtime"]
    address = cloud.put_file(bucket, f"packages/{digest}.zip", other)
    cluster.deployment.package = {"address": address, "runtime": runtime}
    steps.functions(cluster.deployment)
    assert running() == [digest, digest]
    assert cluster.call("GET", "/api/v1/health").status_code == 200

    assert rollback(cluster.deployment, ["1"]) == 0
    assert running() == before
    assert cluster.call("POST", "/api/v1/encrypt", json={"plaintext": "after it"}).status_code == 200
    with pytest.raises(DeployFailed, match="1 earlier packages; 7 was asked for"):
        rollback(cluster.deployment, ["7"])


@requirement("G1")
def test_an_operator_s_command_runs_on_the_worker_and_no_other_does(cluster):
    assert "pool keys" in steps.manage(cluster.deployment, "root_key status")
    assert "sweep ran" in steps.manage(cluster.deployment, "run_schedule sweep")
    verified = steps.manage(cluster.deployment, "verify_audit --records")
    assert "OK:" in verified
    assert "Up to checkpoint" in verified
    with pytest.raises(DeployFailed, match="only these run here"):
        steps.manage(cluster.deployment, "shell")


@requirement("G1")
def test_steps_can_be_run_again_and_change_nothing(cluster):
    before = cluster.operator()
    manager = cluster.deployment.cloud.client("secretsmanager")
    secrets = manager.get_secret_value(SecretId=f"qkd-{STAGE}/platform")["SecretString"]
    for step in (steps.bucket, steps.fill_secret, steps.patch_stage, steps.migrate, steps.bootstrap):
        step(cluster.deployment)
    assert cluster.operator() == before
    assert manager.get_secret_value(SecretId=f"qkd-{STAGE}/platform")["SecretString"] == secrets


@requirement("G1")
def test_it_is_removed_only_when_its_name_is_typed(cluster):
    protected = dataclasses.replace(cluster.deployment.config, deletion_protection=True)
    for config, typed in (
        (cluster.deployment.config, ""),
        (cluster.deployment.config, "pr2"),
        (protected, STAGE),
    ):
        with pytest.raises(BadStage):
            refuse_unless_confirmed(config, typed)
    cloud = cluster.deployment.cloud
    cluster.deployment.settings_path.unlink()  # as in another folder than that which deployed it
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YES", STAGE)
        cloud.protect(f"qkd-{STAGE}-state", on=True)
        with pytest.raises(BadStage, match="Deploy it first"):
            undeploy(cluster.deployment, [])
        cloud.protect(f"qkd-{STAGE}-state", on=False)
        buckets = {value for name, value in cluster.deployment.outputs.items() if name.endswith("Bucket")}
        assert undeploy(cluster.deployment, []) == 0
    assert cloud.status(f"qkd-{STAGE}-state") == "absent"
    assert cluster.deployment.api_id == ""
    there = {one["Name"] for one in cloud.client("s3").list_buckets()["Buckets"]}
    assert there & buckets == set()
    assert not any(steps.exists(cluster.deployment, f"qkdplatform-{STAGE}{end}") for end in ("", "-worker"))
