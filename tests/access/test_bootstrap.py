"""The first person and API key of a deployed stage: made once, shown once, made again only when asked."""

import io
import json

import boto3
import pytest
from django.core.management import CommandError, call_command

from apps.access import api_keys
from apps.audit.services import entries_page
from apps.common.errors import Unauthenticated
from tests import requirement

pytestmark = pytest.mark.django_db


def bootstrap(*arguments):
    output = io.StringIO()
    call_command("bootstrap", *arguments, stdout=output)
    return output.getvalue()


@requirement("E7", "F1")
def test_it_makes_a_person_who_signs_in_and_a_key_that_works(aws, client):
    made = json.loads(bootstrap("--user", "Ada"))
    assert client.login(username="ada", password=made["password"])
    caller = api_keys.authenticate(made["api_key"], source_ip="")
    assert (caller.principal.name, caller.principal.role.value) == ("first run", "administrator")
    assert made["api_url"].endswith("/api/v1")


@requirement("E7")
def test_it_shows_the_secrets_once(aws, client):
    made = json.loads(bootstrap())
    with pytest.raises(CommandError, match="bootstrap --again"):
        bootstrap()
    assert client.login(username="operator", password=made["password"])


@requirement("E7")
def test_asked_again_it_makes_new_secrets_and_the_old_ones_end(aws, client):
    lost, made = json.loads(bootstrap()), json.loads(bootstrap("--again"))
    assert client.login(username="operator", password=made["password"])
    assert not client.login(username="operator", password=lost["password"])
    assert api_keys.authenticate(made["api_key"], source_ip="")
    with pytest.raises(Unauthenticated):
        api_keys.authenticate(lost["api_key"], source_ip="")


@requirement("E7")
def test_one_that_was_killed_before_its_key_was_shown_is_made_good_by_the_next(aws, monkeypatch, client):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(api_keys, "issue", killed)
        with pytest.raises(KeyboardInterrupt):
            bootstrap()
    made = json.loads(bootstrap())
    assert client.login(username="operator", password=made["password"])


@requirement("E7", "I2")
def test_the_secrets_can_go_to_secrets_manager_and_are_not_shown_then(aws, client):
    manager = boto3.client("secretsmanager", "us-east-1")
    manager.create_secret(Name="qkd-dev/first-operator", SecretString="{}")
    said = bootstrap("--into", "qkd-dev/first-operator")
    made = json.loads(manager.get_secret_value(SecretId="qkd-dev/first-operator")["SecretString"])
    assert client.login(username=made["user"], password=made["password"])
    assert made["password"] not in said
    assert made["api_key"] not in said


@requirement("E7")
def test_where_secrets_manager_refuses_it_says_how_to_go_on(aws):
    with pytest.raises(CommandError, match="--again"):
        bootstrap("--into", "qkd-dev/none")


@requirement("D1")
def test_the_trail_tells_of_it(aws):
    bootstrap()
    actors = {str(entry.actor) for entry in entries_page(limit=20).records}
    assert "system:manage.py bootstrap" in actors
