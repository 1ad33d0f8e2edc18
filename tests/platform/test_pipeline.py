"""The pipeline calls what the Makefile has, and nothing that could not be run by hand."""

import re

import pytest
import yaml

from apps.stack.configuration import ROOT
from tests import requirement

WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/checks.yml").read_text())
TARGETS = set(re.findall(r"(?m)^([a-z0-9][a-z0-9 -]*):", (ROOT / "Makefile").read_text()))
KNOWN = {name for line in TARGETS for name in line.split()}


def commands():
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    return [step["run"] for step in steps if "run" in step]


@requirement("G8", "H1")
def test_every_command_is_a_target_or_the_checks_before_landing():
    made = {command.split()[1] for command in commands() if command.startswith("make ")}
    assert made <= KNOWN
    assert {"check-infra", "e2e-deploy", "deploy"} <= made
    assert [command for command in commands() if not command.startswith("make ")] == [".ci/run"]


@requirement("G8", "H1")
def test_the_checks_before_landing_are_targets():
    made = re.findall(r"(?m)^make (\S+)$", (ROOT / ".ci/run").read_text())
    assert made == ["check", "test"]
    assert set(made) <= KNOWN


@requirement("G8")
@pytest.mark.parametrize("name", sorted(WORKFLOW["jobs"]))
def test_a_job_ends_in_time_and_has_no_more_rights_than_it_needs(name):
    job = WORKFLOW["jobs"][name]
    assert job["timeout-minutes"] <= 90
    assert WORKFLOW["permissions"] == {"contents": "read"}
    wanted = {"contents": "read", "id-token": "write"} if name == "deploy" else None
    assert job.get("permissions") == wanted
    for step in job["steps"]:
        assert "run" in step or re.fullmatch(r"[a-z-]+/[a-z-]+@v\d+", step["uses"])
