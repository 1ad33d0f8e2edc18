"""Root keys: what is bound, what is refused, and who wins a race for the key file."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from django.conf import settings as django_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from apps.common.root_keys import configured, interface, local
from apps.common.root_keys.interface import RootKey, RootKeyUnavailable, UnwrapFailed
from apps.common.root_keys.kms import DIRECT_SIZE, KmsRootKey
from apps.common.root_keys.local import LocalRootKey
from tests import requirement

CONTEXT = {"record": "pool_key", "id": "pk-1"}


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


@requirement("C10")
@pytest.mark.parametrize("size", [1, 32, 64, DIRECT_SIZE, DIRECT_SIZE + 1, interface.MAX_SECRET_SIZE])
def test_a_wrapped_secret_unwraps_whatever_the_order_of_its_context(root: RootKey, size: int) -> None:
    secret = os.urandom(size)
    blob = root.wrap(secret, context=CONTEXT)
    assert root.unwrap(blob, context=dict(reversed(CONTEXT.items()))) == secret
    assert size < 32 or secret not in blob


@requirement("C10", "I2")
@pytest.mark.parametrize("size", [32, DIRECT_SIZE + 1])
@pytest.mark.parametrize(
    "context", [CONTEXT | {"id": "pk-2"}, {"record": "pool_key"}, CONTEXT | {"more": "1"}], ids=str
)
def test_a_secret_moved_to_another_record_does_not_unwrap(
    root: RootKey, size: int, context: Mapping[str, str]
) -> None:
    blob = root.wrap(bytes(size), context=CONTEXT)
    with pytest.raises(UnwrapFailed):
        root.unwrap(blob, context=context)


@requirement("C10")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_blob_is_found(tmp_path: Path, data: st.DataObject) -> None:
    root = LocalRootKey(tmp_path / "root.key")
    blob = changed(root.wrap(b"secret", context=CONTEXT), data)
    with pytest.raises(UnwrapFailed):
        root.unwrap(blob, context=CONTEXT)


@requirement("C10")
def test_any_changed_part_of_a_data_key_blob_is_found(kms: Any) -> None:
    root = KmsRootKey("alias/root", kms)
    blob = root.wrap(bytes(DIRECT_SIZE + 1), context=CONTEXT)
    for position in (4, 5, 50, 101, 102, 113, 114, len(blob) - 1):
        damaged = blob[:position] + bytes([blob[position] ^ 1]) + blob[position + 1 :]
        with pytest.raises((UnwrapFailed, RootKeyUnavailable)):
            root.unwrap(damaged, context=CONTEXT)
    for size in (4, 5, 6, 60, 102, 110, 120, len(blob) - 1):
        with pytest.raises(UnwrapFailed):
            root.unwrap(blob[:size], context=CONTEXT)


@requirement("C10")
@pytest.mark.parametrize("blob", [b"", b"x", b"QKL1", b"QKD1", b"x" * 7000])
def test_what_was_never_wrapped_does_not_unwrap(root: RootKey, blob: bytes) -> None:
    with pytest.raises(UnwrapFailed):
        root.unwrap(blob, context=CONTEXT)


@requirement("C10")
@pytest.mark.parametrize("context", [{}, {"record": ""}, {"": "x"}, {"record": 1}], ids=str)
def test_a_context_that_binds_nothing_is_refused(root: RootKey, context: Any) -> None:
    with pytest.raises(ValueError, match="context"):
        root.wrap(b"secret", context=context)


@requirement("C10")
@pytest.mark.parametrize("size", [0, interface.MAX_SECRET_SIZE + 1])
def test_secrets_of_impossible_size_are_refused(root: RootKey, size: int) -> None:
    with pytest.raises(ValueError, match="1 to 131072 bytes"):
        root.wrap(bytes(size), context=CONTEXT)


@requirement("C10")
def test_a_blob_of_another_kms_key_is_refused(kms: Any) -> None:
    other = KmsRootKey(kms.create_key()["KeyMetadata"]["KeyId"], kms)
    blob = other.wrap(b"secret", context=CONTEXT)
    with pytest.raises((UnwrapFailed, RootKeyUnavailable)):
        KmsRootKey("alias/root", kms).unwrap(blob, context=CONTEXT)


@requirement("A7")
def test_a_small_secret_is_plain_kms_ciphertext(kms: Any) -> None:
    blob = KmsRootKey("alias/root", kms).wrap(b"secret", context=CONTEXT)
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == b"secret"


class FailingKms:
    """Every call fails with the same error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def encrypt(self, **_: object) -> None:
        raise self.error

    generate_data_key = decrypt = encrypt


@requirement("C10")
@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "ThrottlingException"}}, "Any"),
        ClientError({"Error": {"Code": "DisabledException"}}, "Any"),
        EndpointConnectionError(endpoint_url="https://kms"),
    ],
    ids=str,
)
def test_an_unreachable_kms_is_not_mistaken_for_a_bad_blob(error: Exception) -> None:
    client: Any = FailingKms(error)
    root = KmsRootKey("alias/root", client)
    calls: list[Callable[[], bytes]] = [
        lambda: root.wrap(b"secret", context=CONTEXT),
        lambda: root.wrap(bytes(DIRECT_SIZE + 1), context=CONTEXT),
        lambda: root.unwrap(b"blob", context=CONTEXT),
    ]
    for call in calls:
        with pytest.raises(RootKeyUnavailable) as raised:
            call()
        assert raised.value.__cause__ is error


@requirement("C10")
def test_the_key_file_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "made" / "root.key"
    blob = LocalRootKey(path).wrap(b"secret", context=CONTEXT)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in path.parent.iterdir()] == ["root.key"]
    assert LocalRootKey(path).unwrap(blob, context=CONTEXT) == b"secret"


@requirement("C10")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o620])
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "root.key"
    LocalRootKey(path)
    path.chmod(mode)
    with pytest.raises(RootKeyUnavailable, match="chmod 600"):
        LocalRootKey(path)


@requirement("C10")
@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:0],
        lambda text: text[:-5],
        lambda text: text.replace("v1", "v2"),
        lambda text: text[:16] + ("1" if text[16] == "0" else "0") + text[17:],
        lambda text: text.replace("=", "!"),
    ],
)
def test_a_damaged_key_file_is_refused_and_not_replaced(tmp_path: Path, damage: Callable[[str], str]) -> None:
    path = tmp_path / "root.key"
    LocalRootKey(path)
    path.write_text(damage(path.read_text()))
    before = path.read_bytes()
    with pytest.raises(RootKeyUnavailable, match="damaged"):
        LocalRootKey(path)
    assert path.read_bytes() == before


@requirement("C10")
def test_links_directories_and_foreign_files_are_no_key_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LocalRootKey(tmp_path / "root.key")
    (tmp_path / "link").symlink_to(tmp_path / "root.key")
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path / "link", "opened"),
        (tmp_path, "plain file"),
        (tmp_path / "pipe", "plain file"),
    ):
        with pytest.raises(RootKeyUnavailable, match=reason):
            LocalRootKey(path)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(RootKeyUnavailable, match="another user"):
        LocalRootKey(tmp_path / "root.key")


@requirement("C10")
def test_the_loser_of_a_race_takes_the_winners_key(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    winner = LocalRootKey(path)
    local._create(path)  # as a process does that saw no file a moment ago
    assert LocalRootKey(path).id == winner.id
    assert [entry.name for entry in tmp_path.iterdir()] == ["root.key"]


def ids_of(paths: list[str]) -> list[str]:
    return [LocalRootKey(path).id for path in paths]


@requirement("C10")
def test_processes_that_race_for_the_file_end_with_one_key(tmp_path: Path) -> None:
    paths = [str(tmp_path / f"root-{number}.key") for number in range(60)]
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        first, *others = pool.map(ids_of, [paths] * 3)
    assert others == [first, first]
    assert len(set(first)) == len(paths)


@requirement("I2")
def test_repr_and_errors_show_no_key(tmp_path: Path) -> None:
    path = tmp_path / "root.key"
    root = LocalRootKey(path)
    encoded = path.read_text().split()[2]
    with pytest.raises(UnwrapFailed) as raised:
        root.unwrap(root.wrap(b"secret", context=CONTEXT), context={"record": "x"})
    assert encoded not in repr(root) + repr(raised.value)
    assert raised.value.__cause__ is None
    assert root.id.startswith("local:")


@requirement("C10")
def test_a_blob_of_another_local_key_is_refused(tmp_path: Path) -> None:
    blob = LocalRootKey(tmp_path / "a").wrap(b"secret", context=CONTEXT)
    with pytest.raises(UnwrapFailed, match="another local root key"):
        LocalRootKey(tmp_path / "b").unwrap(blob, context=CONTEXT)


@requirement("C10")
@pytest.mark.parametrize("setting", ["local:{}/root.key", "kms:alias/root"])
def test_the_setting_chooses_the_root_key(
    setting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kms: object
) -> None:
    chosen = named(setting.format(tmp_path), monkeypatch)
    assert chosen.id[:4] == setting[:4]
    assert chosen.unwrap(chosen.wrap(b"secret", context=CONTEXT), context=CONTEXT) == b"secret"
    assert "secret" not in repr(chosen)


@requirement("C10")
@pytest.mark.parametrize("setting", ["", "local:", "kms:", "vault:x"])
def test_an_unknown_setting_is_refused(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RootKeyUnavailable, match="ROOT_KEY"):
        named(setting, monkeypatch)


def changed(blob: bytes, data: st.DataObject) -> bytes:
    kind = data.draw(st.sampled_from(["flip", "cut", "extend"]))
    if kind == "cut":
        return blob[: data.draw(st.integers(0, len(blob) - 1))]
    if kind == "extend":
        return blob + data.draw(st.binary(min_size=1, max_size=20))
    position = data.draw(st.integers(0, len(blob) - 1))
    return (
        blob[:position] + bytes([blob[position] ^ 1 << data.draw(st.integers(0, 7))]) + blob[position + 1 :]
    )


def named(setting: str, monkeypatch: pytest.MonkeyPatch) -> RootKey:
    """The root key of a setting, past the process-wide cache."""
    if not django_settings.configured:
        django_settings.configure()
    monkeypatch.setattr(django_settings, "ROOT_KEY", setting, raising=False)
    return configured.root_key.__wrapped__()
