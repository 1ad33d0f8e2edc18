"""The root key that the settings name."""

from collections.abc import Mapping
from functools import cache

from django.conf import settings

from apps.common.root_keys.interface import RootKey, RootKeyUnavailable
from apps.common.root_keys.ring import RootKeyRing


@cache
def root_key() -> RootKey:
    """The root key that ``settings.ROOT_KEY`` names: ``local:<path>`` or ``kms:<key id, ARN or alias>``.

    Those of ``settings.ROOT_KEY_PREVIOUS`` still unwrap what they wrapped.

    Raises:
        RootKeyUnavailable: a setting is neither, or a key file is unsafe or damaged.
    """
    current = _connect(str(settings.ROOT_KEY))
    if not settings.ROOT_KEY_PREVIOUS:
        return current
    return RootKeyRing(current, [_connect(name) for name in settings.ROOT_KEY_PREVIOUS])


def wrap_checked(secret: bytes, *, context: Mapping[str, str]) -> bytes:
    """Wrap a secret under the current root key, and unwrap it once: it is to replace the only copy there is.

    Raises:
        RootKeyUnavailable: the root key does not answer, or gives back something else.
    """
    root = root_key()
    wrapped = root.wrap(secret, context=context)
    if root.unwrap(wrapped, context=context) != secret:
        raise RootKeyUnavailable("the root key does not give back what it wrapped")
    return wrapped


def _connect(setting: str) -> RootKey:
    kind, _, name = setting.partition(":")
    if kind == "local" and name:
        from apps.common.root_keys.local import LocalRootKey  # noqa: PLC0415  only what is configured is loaded

        return LocalRootKey(name)
    if kind == "kms" and name:
        from apps.common.root_keys.kms import KmsRootKey  # noqa: PLC0415  only what is configured is loaded

        return KmsRootKey.connect(name)
    raise RootKeyUnavailable("ROOT_KEY must be local:<path> or kms:<key id, ARN or alias>")
