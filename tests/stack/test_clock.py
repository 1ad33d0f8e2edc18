"""The clock of the machine is set while the embedded AWS runs: a hidden message is shown when it was to be (C6)."""

import pytest

from apps.stack import testing
from tests import requirement
from tests.stack.conftest import Stack
from tests.torture.clock import Clock
from tests.waiting import wait_for

HOUR = 3600


class Clocked(Stack):
    """An embedded AWS whose clock can be set."""

    def __init__(self, folder):
        self.clock = Clock(folder)
        if not self.clock.moves:
            pytest.skip("there is no compiler for the library that sets the clock")
        super().__init__(folder / "aws")

    def start(self):
        self.port = testing.free_port()
        self.process = testing.start(self.state_dir, self.port, prefix=self.clock.prefix)


@pytest.fixture
def stack(tmp_path):
    made = Clocked(tmp_path)
    yield made
    made.kill()


def received(sqs, url):
    return [message["Body"] for message in sqs.receive_message(QueueUrl=url).get("Messages", [])]


@requirement("C6", "G1")
@pytest.mark.parametrize("restarted", [False, True], ids=["running", "started again"])
def test_a_message_is_not_hidden_for_longer_because_the_clock_was_set_back(stack, restarted):
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "2"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="at work")
    assert received(sqs, url) == ["at work"]
    stack.clock.move(-HOUR)
    if restarted:
        stack.kill()
        stack.start()
        sqs = stack.client("sqs")
        url = sqs.get_queue_url(QueueName="jobs")["QueueUrl"]
    found: list[str] = []

    def look():
        found.extend(received(sqs, url))
        return found

    wait_for(look)
    assert found == ["at work"]


@requirement("C6", "G1")
def test_a_message_that_is_worked_on_is_not_shown_because_the_clock_was_set_ahead(stack):
    sqs = stack.client("sqs")
    url = sqs.create_queue(QueueName="jobs", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="at work")
    assert received(sqs, url) == ["at work"]
    stack.clock.move(HOUR)
    assert received(sqs, url) == []
