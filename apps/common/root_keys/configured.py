"""The root key that the settings name."""

from collections.abc import Mapping
from functools import cache

from django.conf import settings

from apps.common.root_keys.interface import RootKey, RootKeyUnavailable


@cache
def root_key() -> RootKey:
    """The root key that ``settings.ROOT_KEY`` names: ``local:<path>`` or ``kms:<key id, ARN or alias>``.

    Those of ``settings.ROOT_KEY_PREVIOUS`` still unwrap what they wrapped.

    Raises:
        RootKeyUnavailable: a setting is neither, or a key file is unsafe or damaged.
    """
    current = _connected(str(settings.ROOT_KEY))
    if not settings.ROOT_KEY_PREVIOUS:
        return current
    from apps.common.root_keys.ring import RootKeyRing  # noqa: PLC0415  only what is configured is loaded

    return RootKeyRing(current, [_connected(name) for name in settings.ROOT_KEY_PREVIOUS])


def wrapped_anew(secret: bytes, *, context: Mapping[str, str]) -> bytes:
    """A secret under the current root key, tried out before what it replaces is gone.

    Raises:
        RootKeyUnavailable: the root key does not answer, or not with what it was given.
    """
    root = root_key()
    wrapped = root.wrap(secret, context=context)
    if root.unwrap(wrapped, context=context) != secret:
        raise RootKeyUnavailable("the root key does not give back what it wrapped")
    return wrapped


def _connected(setting: str) -> RootKey:
    kind, _, name = setting.partition(":")
    if kind == "local" and name:
        from apps.common.root_keys.local import LocalRootKey  # noqa: PLC0415  only what is configured is loaded

        return LocalRootKey(name)
    if kind == "kms" and name:
        from apps.common.root_keys.kms import KmsRootKey  # noqa: PLC0415  only what is configured is loaded

        return KmsRootKey.connect(name)
    raise RootKeyUnavailable("ROOT_KEY must be local:<path> or kms:<key id, ARN or alias>")
