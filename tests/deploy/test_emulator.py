"""The zip on AWS's own emulator of Lambda (its binary comes with the SAM CLI), driven by events of AWS's shape over HTTP."""

import json
import os
import platform
import subprocess
import sys

import pytest
import requests

from apps.stack import package_index, uv
from apps.stack.configuration import ROOT
from apps.stack.ports import is_free
from apps.stack.testing import free_port
from tests import requirement
from tests.stage import REFILL, embedded_stage, request
from tests.waiting import wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="the package is for x86_64"),
]
SAM = "aws-sam-cli==1.170.0"
INVOCATIONS = "2015-03-31/functions/function/invocations"


def emulator_of(folder):
    """AWS's binary, fetched; nothing else of that package is used, and nothing of what it needs is installed."""
    command = [uv.provide(ROOT), "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run(
        [*map(str, command), "--python", sys.executable, "--target", str(folder), SAM],
        check=True,
        env=os.environ | package_index.for_uv(),
    )
    program = folder / "samcli" / "local" / "rapid" / "aws-lambda-rie-x86_64"
    program.chmod(0o755)
    return program


@pytest.fixture(scope="module")
def send(on_runtime_client, tmp_path_factory):
    """Sends an event to the zip's content on the emulator; returns what came back."""
    folders, folder = on_runtime_client, tmp_path_factory.mktemp("emulated")
    program, port = emulator_of(folder / "emulator"), free_port(1)
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(folders),
        "AWS_LAMBDA_FUNCTION_NAME": "qkdplatform-dev",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "900",
        "LAMBDA_TASK_ROOT": folders[0],
    }
    command = [str(program), "--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
    command += ["--runtime-api-address", f"127.0.0.1:{port + 1}", "--log-level", "error"]
    command += [
        sys.executable,
        "-S",
        "-W",
        "ignore",
        "-m",
        "awslambdaric",
        "qkdplatform.lambda_handler.handler",
    ]
    with embedded_stage(folder) as environment:
        process = subprocess.Popen(command, cwd=folders[0], env=own | environment, stdout=subprocess.DEVNULL)
        try:
            wait_for(lambda: not is_free("127.0.0.1", port))
            yield lambda event: requests.post(
                f"http://127.0.0.1:{port}/{INVOCATIONS}", json=event, timeout=900
            ).json()
        finally:
            process.terminate()
            process.wait()


@requirement("G1", "E1")
def test_the_gateway_s_events_commands_and_schedules_are_answered_on_aws_s_emulator(send):
    answer = send(request("GET", "/api/v1/health"))
    assert json.loads(answer["body"])["status"] == "ok"
    told = [send({"manage": command}) for command in ("migrate", "bootstrap")]
    assert [one["ok"] for one in told] == [True, True], told
    key = json.loads(told[1]["output"])["api_key"]
    assert send(REFILL) is None
    listed = send(request("GET", "/api/v1/keys", key=key))
    assert listed["statusCode"] == 200
    assert json.loads(listed["body"])["items"]


@requirement("G1")
def test_an_event_that_nobody_knows_is_an_error_there_too(send):
    assert send({"Records": [{"eventSource": "aws:kinesis"}]})["errorType"] == "UnknownEvent"
