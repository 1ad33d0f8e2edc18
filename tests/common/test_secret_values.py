"""Settings from Secrets Manager: found by name, current and previous, and read again after a rotation."""

import json
from unittest import mock

import boto3
import pytest
from django.core.exceptions import ImproperlyConfigured
from moto import mock_aws

from apps.common import environment, secret_values
from apps.common.environment import Section
from apps.common.secret_values import Reference, Secrets, resolve
from tests import requirement

SECRET = "qkd-dev/platform"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:qkd-dev/platform-AbCdEf"


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    made = Clock()
    monkeypatch.setattr(secret_values, "time", made)
    return made


@pytest.fixture
def manager(monkeypatch, clock):
    """Secrets Manager with one secret, and a process that has read nothing yet."""
    monkeypatch.setattr(secret_values, "secrets", Secrets())
    monkeypatch.setattr(environment, "_live", {})
    monkeypatch.setattr(environment, "_declared", {})
    with mock_aws():
        made = boto3.client("secretsmanager", "us-east-1")
        made.create_secret(Name=SECRET, SecretString=json.dumps({"AUDIT_KEY": "one", "LIMIT": "3"}))
        yield made


def rotate(manager, **values):
    manager.put_secret_value(SecretId=SECRET, SecretString=json.dumps(values))


@requirement("E7")
@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a value", None),
        ("", None),
        ("secretsmanager:a#K", Reference("a", "K")),
        ("secretsmanager:a/b#K@AWSPREVIOUS", Reference("a/b", "K", "AWSPREVIOUS")),
        (f"secretsmanager:{ARN}#K", Reference(ARN, "K")),
    ],
)
def test_a_reference_names_a_secret_a_key_and_a_version(text, read):
    assert Reference.read(text) == read


@requirement("E7")
@pytest.mark.parametrize("text", ["", "a", "#K", "a#", "a#@AWSPREVIOUS", "a#K@NEWEST"])
def test_what_begins_as_a_reference_and_is_none_is_refused(text):
    with pytest.raises(ImproperlyConfigured, match="is written as"):
        Reference.read("secretsmanager:" + text)


@requirement("E7")
def test_the_previous_value_is_another_than_the_current_one(manager):
    rotate(manager, AUDIT_KEY="two")
    assert resolve(f"secretsmanager:{SECRET}#AUDIT_KEY") == "two"
    assert resolve(f"secretsmanager:{SECRET}#AUDIT_KEY@AWSPREVIOUS") == "one"


@requirement("E7")
def test_before_the_first_rotation_there_is_no_previous_value(manager):
    assert resolve(f"secretsmanager:{SECRET}#AUDIT_KEY@AWSPREVIOUS") == ""


@requirement("E7")
@pytest.mark.parametrize("reference", ["qkd-dev/none#AUDIT_KEY", f"{SECRET}#NONE"])
def test_a_value_that_is_not_there_stops_the_start(manager, reference):
    with pytest.raises(ImproperlyConfigured, match=r"NONE|cannot be read"):
        resolve(f"secretsmanager:{reference}")


@requirement("E7", "I2")
@pytest.mark.parametrize("content", ["text", "[]", '"text"', "5"])
def test_a_secret_that_is_no_object_is_refused_without_quoting_it(manager, content):
    manager.put_secret_value(SecretId=SECRET, SecretString=content)
    with pytest.raises(ImproperlyConfigured) as caught:
        resolve(f"secretsmanager:{SECRET}#AUDIT_KEY")
    assert str(caught.value) == f"The secret {SECRET} is not a JSON object."
    assert caught.value.__cause__ is None


@requirement("E7")
def test_a_rotation_is_seen_once_the_values_are_old(manager, clock, monkeypatch):
    monkeypatch.setenv("AUDIT_KEY", f"secretsmanager:{SECRET}#AUDIT_KEY")
    monkeypatch.setenv("LIMIT", f"secretsmanager:{SECRET}#LIMIT")
    section = Section("Any")
    assert section.text("AUDIT_KEY", about="A key.") == "one"
    assert section.integer("LIMIT", 1, about="A number.") == 3
    rotate(manager, AUDIT_KEY="two", LIMIT="4")
    clock.now += 299
    assert environment.refresh() == {}
    clock.now += 2
    assert environment.refresh() == {"AUDIT_KEY": "two", "LIMIT": 4}
    assert environment.refresh() == {}


@requirement("E7")
def test_all_values_of_a_secret_cost_one_call(manager, monkeypatch):
    fetch = mock.Mock(wraps=secret_values._fetch)
    monkeypatch.setattr(secret_values, "_fetch", fetch)
    for _ in range(3):
        resolve(f"secretsmanager:{SECRET}#AUDIT_KEY")
        resolve(f"secretsmanager:{SECRET}#LIMIT")
    assert fetch.mock_calls == [mock.call(SECRET, "AWSCURRENT")]


@requirement("E7")
def test_while_secrets_manager_does_not_answer_the_known_values_stay(manager, clock, monkeypatch, caplog):
    monkeypatch.setenv("AUDIT_KEY", f"secretsmanager:{SECRET}#AUDIT_KEY")
    Section("Any").text("AUDIT_KEY", about="A key.")
    fetch, failing = secret_values._fetch, [True]

    def fetch_or_fail(*name):
        if failing:
            raise ImproperlyConfigured("The secret cannot be read (Timeout).")
        return fetch(*name)

    monkeypatch.setattr(secret_values, "_fetch", fetch_or_fail)
    rotate(manager, AUDIT_KEY="two")
    clock.now += 301
    assert environment.refresh() == {}
    assert "stay in use" in caplog.text
    failing.clear()
    assert environment.refresh() == {}, "it is not asked at every request"
    clock.now += secret_values.RETRY_SECONDS + 1
    assert environment.refresh() == {"AUDIT_KEY": "two"}


@requirement("E7", "I2")
def test_a_wrong_value_is_not_quoted(manager, monkeypatch):
    rotate(manager, LIMIT="the secret is swordfish")
    monkeypatch.setenv("LIMIT", f"secretsmanager:{SECRET}#LIMIT")
    with pytest.raises(ImproperlyConfigured) as caught:
        Section("Any").integer("LIMIT", 1, about="A number.")
    assert "swordfish" not in str(caught.value)


@requirement("E7")
def test_words_and_what_may_be_empty_come_from_there_too(manager, monkeypatch):
    rotate(manager, OLD="a, b", EMPTY="")
    monkeypatch.setenv("OLD", f"secretsmanager:{SECRET}#OLD")
    monkeypatch.setenv("KEYS", f"secretsmanager:{SECRET}#EMPTY")
    section = Section("Any")
    assert section.words("OLD", about="Keys.") == ["a", "b"]
    assert section.words("KEYS", about="Keys.") == []
    monkeypatch.setenv("NEEDED", f"secretsmanager:{SECRET}#EMPTY")
    with pytest.raises(ImproperlyConfigured, match="NEEDED must be set"):
        section.text("NEEDED", about="A key.")
