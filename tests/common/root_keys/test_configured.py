"""The root key that the settings name."""

from pathlib import Path

import pytest
from django.conf import settings as django_settings

from apps.common.root_keys import configured
from apps.common.root_keys.interface import RootKey, RootKeyUnavailable
from tests import requirement
from tests.common.root_keys import CONTEXT


def named(setting: str, monkeypatch: pytest.MonkeyPatch) -> RootKey:
    """The root key of a setting, past the process-wide cache."""
    if not django_settings.configured:
        django_settings.configure()
    monkeypatch.setattr(django_settings, "ROOT_KEY", setting, raising=False)
    return configured.root_key.__wrapped__()


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


@requirement("C10")
def test_what_the_root_key_does_not_give_back_replaces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = named(f"local:{tmp_path}/root.key", monkeypatch)
    monkeypatch.setattr(configured, "root_key", lambda: root)
    wrapped = configured.wrap_checked(b"secret", context=CONTEXT)
    assert root.unwrap(wrapped, context=CONTEXT) == b"secret"
    monkeypatch.setattr(type(root), "unwrap", lambda *_args, **_named: b"something else")
    with pytest.raises(RootKeyUnavailable, match="give back"):
        configured.wrap_checked(b"secret", context=CONTEXT)
