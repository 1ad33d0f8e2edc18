"""A restore of a stage, step by step: what fails leaves no stage at work with half of its data."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from moto import mock_aws

from apps.access import ready_roles
from apps.access.models import User
from apps.access.roles import Role
from apps.stack.backups import BackupFailed
from deploy import __main__ as commands
from deploy import at_work, backups
from deploy.cloud import DeployFailed
from deploy.stages import BadStage, read_config
from deploy.steps import STEPS, Deployment
from qkdseal.__main__ import main as qkdseal
from tests import requirement

pytestmark = requirement("G5")
KEPT = {"AUDIT_KEY": "of the backup", "DATABASE_URL": "postgres://lost"}
ROWS = [{"key": {"S": "a"}, "sealed": {"B": {"base64": "AAE="}}}, {"key": {"S": "b"}}]


class Functions:
    """Lambda, as far as concurrency goes: which functions are stopped."""

    def __init__(self, refuses=""):
        self.stopped, self.refuses = set(), refuses

    def put_function_concurrency(self, **told):
        if told["FunctionName"] == self.refuses:
            raise PermissionError("not allowed")
        assert told["ReservedConcurrentExecutions"] == 0
        self.stopped.add(told["FunctionName"])

    def delete_function_concurrency(self, **told):
        self.stopped.discard(told["FunctionName"])


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """A stage with one empty table, a secret and two functions; the backup holds two rows of it."""

    def extract(_backup: Path, *, key: Path, target: Path) -> int:
        if key.name == "wrong":
            raise BackupFailed("it does not open")
        (target / "tables" / "things").mkdir(parents=True)
        (target / "tables" / "things" / "00000000.json").write_text(json.dumps(ROWS))
        (target / "secret.json").write_text(json.dumps(KEPT))
        return 2

    monkeypatch.setattr("apps.stack.backups.extract", extract)
    monkeypatch.setattr(at_work, "QUIET_SECONDS", 0.0)  # nobody is at work
    (tmp_path / "monday").write_text("a backup")
    with mock_aws():
        clients: dict[str, Any] = {
            name: boto3.client(name, region_name="us-east-1") for name in ("dynamodb", "secretsmanager")
        }
        clients["lambda"] = Functions()
        made = backups.StageData(clients.__getitem__, "qkd-pr1", "platform", "", ("api", "worker"))
        clients["secretsmanager"].create_secret(Name="platform", SecretString='{"DATABASE_URL": "now"}')
        clients["dynamodb"].create_table(
            TableName="qkd-pr1-things",
            KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        monkeypatch.setattr(made, "_django", lambda *_words: "")
        yield made


def stopped(stage):
    return stage.client("lambda").stopped


def restored(stage, tmp_path, key="me"):
    with stage.at_rest():
        assert stopped(stage) == {"api", "worker"}
        return stage.restore(tmp_path / "monday", key=Path(key))


def rows(stage):
    return sorted(
        row["key"]["S"] for row in stage.client("dynamodb").scan(TableName="qkd-pr1-things")["Items"]
    )


def test_a_stage_that_cannot_be_stopped_whole_is_not_left_half_stopped(stage):
    stage.client("lambda").refuses = "worker"
    with pytest.raises(PermissionError), stage.at_rest():
        pytest.fail("it was not at rest")
    assert stopped(stage) == set()


def test_a_stage_is_at_rest_once_those_at_work_have_ended(stage, monkeypatch):
    waited = []
    monkeypatch.setattr(at_work, "wait_for_rest", lambda *_: waited.append(set(stopped(stage))))
    with stage.at_rest():
        assert waited == [{"api", "worker"}], "nobody begins meanwhile"


def test_what_fails_before_anything_is_written_lets_the_stage_go_on(stage, tmp_path):
    with pytest.raises(BackupFailed, match="does not open"):
        restored(stage, tmp_path, key="wrong")
    assert stopped(stage) == set()
    stage.client("dynamodb").put_item(TableName="qkd-pr1-things", Item={"key": {"S": "own"}})
    with pytest.raises(BackupFailed, match="has rows"):
        restored(stage, tmp_path)
    assert (stopped(stage), rows(stage)) == (set(), ["own"])


@requirement("I4")
def test_a_stage_that_is_half_restored_stays_stopped_until_the_same_backup_is_given_again(
    stage, tmp_path, monkeypatch
):
    write = stage._write
    monkeypatch.setattr(stage, "_write", lambda name, some: write(name, some[:1]) and 1 // 0)
    with pytest.raises(backups.HalfRestored, match="same command again"):
        restored(stage, tmp_path)
    assert (stopped(stage), rows(stage)) == ({"api", "worker"}, ["a"])
    monkeypatch.setattr(stage, "_write", write)
    (tmp_path / "tuesday").write_text("another backup")
    with pytest.raises(BackupFailed, match="has rows"):
        stage.restore(tmp_path / "tuesday", key=Path("me"))
    assert restored(stage, tmp_path) == 2
    assert (stopped(stage), rows(stage)) == (set(), ["a", "b"])
    assert stage._secret() == KEPT


def test_the_stage_keeps_the_address_of_its_own_database(stage, tmp_path):
    stage.database = "postgres://now"
    restored(stage, tmp_path)
    assert stage._secret() == KEPT | {"DATABASE_URL": "postgres://now"}


@pytest.mark.django_db
def test_people_come_back_in_the_groups_that_were_made_here(stage, tmp_path, monkeypatch):
    def django(*words: str) -> str:
        said = io.StringIO()
        if words[0] != "migrate":
            call_command(*words, stdout=said)
        return said.getvalue()

    monkeypatch.setattr(stage, "_django", django)
    stage.database = "sqlite://"
    user, own = User.objects.create_user("ada"), Group.objects.create(name="Night shift")
    own.permissions.add(Permission.objects.get(codename="view_file"))
    user.groups.add(own)
    ready_roles.put_into(user, Role.OPERATOR)
    for name, words in backups.PEOPLE.items():
        (tmp_path / name).write_text(django("dumpdata", *words))
    User.objects.all().delete()
    own.delete()
    stage._bring_people(tmp_path)
    back = User.objects.get(pk=user.pk)
    assert set(back.groups.values_list("name", flat=True)) == {"Night shift", "Operator"}
    assert [one.codename for one in back.groups.get(name="Night shift").permissions.all()] == ["view_file"]


@requirement("I3")
@pytest.mark.parametrize("fails", [False, True])
def test_the_api_answers_again_only_when_no_quantum_key_of_the_backup_is_in_use(
    fails, stage, tmp_path, monkeypatch
):
    deployment: Any = SimpleNamespace(
        config=SimpleNamespace(stage="pr1", api_function="api", worker_function="worker")
    )
    asked = []

    def manage(_deployment, command):
        asked.append((command, set(stopped(stage))))
        if fails:
            raise DeployFailed("no")
        return "3 quantum keys are out of use.\n"

    monkeypatch.setattr(backups.StageData, "of", lambda _deployment: stage)
    monkeypatch.setattr("deploy.steps.manage", manage)
    words = [str(tmp_path / "monday"), "me"]
    if fails:
        with pytest.raises(backups.HalfRestored, match="API stays stopped"):
            commands.restore(deployment, words)
    else:
        assert commands.restore(deployment, words) == 0
    assert asked == [("set_keys_aside", {"api"})]
    assert stopped(stage) == ({"api"} if fails else set())


def test_tables_are_made_without_anything_that_fills_them(monkeypatch):
    done: list[str] = []
    made = [(name, lambda _deployment, name=name: done.append(name)) for name, _ in STEPS]
    monkeypatch.setattr(commands, "STEPS", tuple(made))
    monkeypatch.setattr(commands, "plan", lambda *_: 0)
    monkeypatch.setenv("UNTIL", "secrets")
    deployment = Deployment(read_config("pr761"), SimpleNamespace())  # type: ignore[arg-type]
    assert commands.deploy(deployment, []) == 0
    assert done == ["bucket", "templates", "state", "secrets"]
    monkeypatch.setenv("UNTIL", "nothing")
    with pytest.raises(BadStage, match="UNTIL must be one of"):
        commands.deploy(deployment, [])


def test_a_place_that_cannot_be_written_is_named(stage, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(backups.StageData, "of", lambda _deployment: stage)
    assert qkdseal(["recipient", "-o", str(tmp_path / "me.json")]) == 0
    (tmp_path / "public.json").write_text(capsys.readouterr().out)
    for out, said in (("", "is there already"), (str(tmp_path / "no" / "such"), "No such file")):
        assert commands.main(["backup", "pr761", str(tmp_path / "public.json"), out]) in {1, 2}
        assert said in capsys.readouterr().err
    assert stopped(stage) == set()
