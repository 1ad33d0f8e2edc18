"""What ``make run`` may be told, and what it gives to the processes that it starts."""

import sys
from pathlib import Path

import dj_database_url
import pytest

from apps.stack import configuration as module
from apps.stack.configuration import BadConfiguration, Configuration, check_machine, commands
from tests import requirement


def test_it_listens_on_loopback_unless_told_otherwise():
    read = Configuration.read({})
    assert (read.bind, read.port, read.aws_port, read.loopback) == ("127.0.0.1", 8000, 4566, True)
    assert read.base_url == "http://127.0.0.1:8000"
    assert "http://localhost:8000" in read.origins.split(",")


def test_another_address_is_asked_for_by_name():
    read = Configuration.read({"BIND": "192.0.2.7", "PORT": "80"})
    assert not read.loopback
    assert read.base_url == "http://192.0.2.7:80"
    assert "192.0.2.7" in read.allowed_hosts.split(",")
    assert read.endpoint == "http://127.0.0.1:4566"
    assert Configuration.read({"BIND": "::"}).base_url == "http://[::1]:8000"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "\uff18", "80 80"])
def test_a_bad_port_is_named(port):
    with pytest.raises(BadConfiguration, match="AWS_PORT"):
        Configuration.read({"AWS_PORT": port})


def test_two_servers_cannot_share_a_port():
    with pytest.raises(BadConfiguration, match="must differ"):
        Configuration.read({"PORT": "4566"})


@requirement("D3")
def test_nothing_of_a_real_cloud_is_inherited(tmp_path):
    shell = {
        "PATH": "/bin",
        "AWS_PROFILE": "production",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ACCESS_KEY_ID": "AKIAREAL",
        "AWS_ENDPOINT_URL_S3": "https://elsewhere",
        "DATABASE_URL": "postgres://production",
        "TABLE_PREFIX": "qkd-production",
        "ROOT_KEY": "kms:alias/production",
        "HTTP_PROXY": "http://proxy",
        "no_proxy": "internal",
    }
    read = Configuration.read({"LOCAL_DIR": str(tmp_path / "with space")})
    given = read.environment(shell, {"AUDIT_KEY": "own", "DJANGO_SECRET_KEY": "signs"})
    assert {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "TABLE_PREFIX"}.isdisjoint(given)
    assert given["AWS_ACCESS_KEY_ID"] == "test"
    assert given["AWS_CONFIG_FILE"] == given["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert given["NO_PROXY"] == given["no_proxy"] == "internal,127.0.0.1,localhost"
    assert given["AUDIT_KEY"] == "own"
    assert Path(dj_database_url.parse(given["DATABASE_URL"])["NAME"]).parent == tmp_path / "with space"


@requirement("I2")
def test_the_embedded_aws_gets_none_of_the_products_secrets(tmp_path):
    given = Configuration.read({"LOCAL_DIR": str(tmp_path)}).aws_environment(
        {"PATH": "/bin", "AUDIT_KEY": "secret"}, {"DJANGO_SECRET_KEY": "signs"}
    )
    assert {"secret", "signs"}.isdisjoint(given.values())
    platform = Configuration.read({"LOCAL_DIR": str(tmp_path)}).environment(
        {}, {"DJANGO_SECRET_KEY": "signs"}
    )
    assert given["AWS_SECRET_ACCESS_KEY"] == platform["AWS_SECRET_ACCESS_KEY"] != "test"
    assert given["STATE_DIR"] == str(tmp_path / "aws")


def test_each_child_has_a_program():
    assert set(commands(Configuration.read({}))) == {"aws", "prepare", "web", "relay", "worker", "custody"}


@pytest.mark.parametrize("version", [(3, 10), (3, 15)])
def test_a_python_that_will_not_do_is_named(monkeypatch, version):
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    with pytest.raises(BadConfiguration, match=f"Python {version[0]}.{version[1]}"):
        check_machine()


def test_a_missing_environment_is_named(monkeypatch, tmp_path):
    check_machine()
    monkeypatch.setattr(module, "ROOT", tmp_path)
    with pytest.raises(BadConfiguration, match="make install"):
        check_machine()
