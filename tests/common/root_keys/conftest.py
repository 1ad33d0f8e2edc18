"""Root keys of both kinds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from apps.common.root_keys.interface import RootKey
from apps.common.root_keys.kms import KmsRootKey
from apps.common.root_keys.local import LocalRootKey


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        client = boto3.client("kms")
        key_id = client.create_key()["KeyMetadata"]["KeyId"]
        client.create_alias(AliasName="alias/root", TargetKeyId=key_id)
        yield client


@pytest.fixture(params=["local", "kms"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> RootKey:
    if request.param == "local":
        return LocalRootKey(tmp_path / "root.key")
    return KmsRootKey("alias/root", request.getfixturevalue("kms"))
