"""This process as a part of the platform on an embedded AWS: for what is too large for the AWS in process."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from django.test import override_settings

from apps.audit import reading, writing
from apps.common import aws, dynamodb
from apps.stack import resources
from apps.stack.testing import embedded_aws


@contextmanager
def on_embedded_aws(folder: Path, *, services: str = "") -> Iterator[None]:
    """Tables, buckets and queues are there, and empty."""
    with embedded_aws(folder, services=services) as endpoint:
        with (
            mock.patch.dict("os.environ", AWS_ENDPOINT_URL=endpoint),
            override_settings(AWS_ENDPOINT_URL=endpoint),
        ):
            _forget()
            resources.ensure()
            yield
        _forget()


def _forget() -> None:
    aws.client.cache_clear()  # type: ignore[attr-defined]  # mypy loses it with the overloads
    reading._client.cache_clear()
    dynamodb.forget_connection()
    writing.known_chains.cache_clear()
