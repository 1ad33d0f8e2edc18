"""One AWS within another: moto's own shares everything with the one around it, and tables made in it replace those."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from moto.core.base_backend import BackendDict
from moto.core.models import MockAWS
from moto.s3.models import s3_backends


def is_within() -> bool:
    """Return whether an AWS is there already."""
    return MockAWS._nested_count > 0


@contextmanager
def set_aside() -> Iterator[None]:
    """Keep what the AWS around holds away from one within it, and bring it back; begin before ``mock_aws``."""
    if not is_within():
        yield
        return
    in_use: Any = BackendDict._instances  # type: ignore[misc]
    kept = [(backend, dict(backend)) for backend in in_use]
    buckets = dict(s3_backends.bucket_accounts)
    for held in (*in_use, in_use, s3_backends.bucket_accounts):
        held.clear()
    try:
        yield
    finally:
        BackendDict.reset()
        for backend, accounts in kept:
            backend.update(accounts)
            in_use.append(backend)
        s3_backends.bucket_accounts.update(buckets)
