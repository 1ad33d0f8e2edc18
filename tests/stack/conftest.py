"""Clients of an embedded AWS that runs in a process of its own."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from apps.stack import testing
from tests.waiting import LIMIT_SECONDS


class Stack:
    """An embedded AWS that a test may kill and start again, on another port each time."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self.start()

    def start(self) -> None:
        self.port = testing.free_port()
        self.process = testing.start(self.state_dir, self.port, origins="http://127.0.0.1:8000")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=LIMIT_SECONDS)

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(
                s3={"addressing_style": "path"},
                retries={"total_max_attempts": 1},
                connect_timeout=LIMIT_SECONDS,
                read_timeout=LIMIT_SECONDS,
            ),
        )


@pytest.fixture
def stack(tmp_path) -> Iterator[Stack]:
    running = Stack(tmp_path / "aws")
    yield running
    running.kill()
