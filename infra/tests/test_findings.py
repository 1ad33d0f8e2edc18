"""cdk-nag, cfn-lint and checkov: every finding is mended, or stands in exceptions.toml with its reason."""

import json
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

EXCEPTIONS = tomllib.loads((Path(__file__).parent.parent / "exceptions.toml").read_text())


def matches(exception, rule, what, path):
    return (
        exception["rule"] == rule
        and fnmatch(path, exception.get("where", "*"))
        and fnmatch(what, exception.get("what", "*"))
    )


def test_cdk_nag_finds_nothing_but_what_has_its_reason(production):
    report = json.loads((production.folder / "validation-report.json").read_text())
    (nag,) = [plugin for plugin in report["pluginReports"] if plugin["pluginName"] == "AwsSolutions"]
    used, left = set(), []
    for violation in nag["violations"]:
        rule, _, what = violation["ruleName"].partition("[")
        for construct in violation["violatingConstructs"]:
            path = construct["constructPath"]
            fitting = [
                n
                for n, one in enumerate(EXCEPTIONS["nag"])
                if matches(one, rule, what.removesuffix("]"), path)
            ]
            used.update(fitting)
            if not fitting:
                left.append(f"{rule} [{what} {path}")
    assert left == []
    assert used == set(range(len(EXCEPTIONS["nag"]))), "an exception is of no use any more"


def test_cfn_lint_finds_nothing_but_what_has_its_reason(stages):
    files = [str(path) for stage in stages.values() for path in stage.folder.glob("*.template.json")]
    program = str(Path(sys.executable).parent / "cfn-lint")
    done = subprocess.run([program, "--format", "json", *files], capture_output=True, text=True, check=False)
    found = {finding["Rule"]["Id"] for finding in json.loads(done.stdout or "[]")}
    assert found == {one["rule"] for one in EXCEPTIONS["lint"]}


def test_checkov_finds_nothing_but_what_has_its_reason(production):
    program = str(Path(sys.executable).parent / "checkov")
    words = ["--framework", "cloudformation", "--quiet", "--compact", "--skip-download", "-o", "json"]
    done = subprocess.run(
        [program, *words, "--directory", str(production.folder)], capture_output=True, text=True, check=False
    )
    report = json.loads(done.stdout)
    assert report["summary"]["passed"] > 100, done.stderr
    assert report["summary"]["parsing_errors"] == 0
    used, left = set(), []
    for found in report["results"]["failed_checks"]:
        fitting = [
            n
            for n, one in enumerate(EXCEPTIONS["checkov"])
            if matches(one, found["check_id"], "", found["resource"])
        ]
        used.update(fitting)
        if not fitting:
            left.append(f"{found['check_id']} {found['check_name']} {found['resource']}")
    assert left == []
    assert used == set(range(len(EXCEPTIONS["checkov"]))), "an exception is of no use any more"


def test_every_exception_says_why():
    assert all(len(one["reason"]) > 20 for kind in EXCEPTIONS.values() for one in kind)
