"""``make run`` from a checkout that cannot be written: only LOCAL_DIR is."""

import json
import os
import shutil
import subprocess

import pytest
import requests

from apps.stack.configuration import ROOT
from tests import requirement
from tests.running import Run
from tests.waiting import LIMIT_SECONDS

MOUNTED = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
PREFIX = ["unshare", "--mount", "sh", "-c", MOUNTED, str(ROOT)]


def can_mount():
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*PREFIX, "true"], check=False, capture_output=True).returncode == 0


@requirement("F1", "G1")
@pytest.mark.slow
@pytest.mark.e2e
def test_it_starts_works_and_stops_without_writing_into_the_checkout(tmp_path):
    if not can_mount():
        pytest.skip("only root may mount the checkout read-only")
    assert subprocess.run([*PREFIX, "touch", ROOT / "written"], check=False, capture_output=True).returncode
    run = Run(tmp_path / "local", prefix=PREFIX, HOME=os.devnull)
    try:
        run.ready()
        first = json.loads((tmp_path / "local" / "first-run.json").read_text())
        url, headers = f"http://127.0.0.1:{run.port}/api/v1", {"X-API-Key": first["api_key"]}
        package = requests.post(
            f"{url}/encrypt", json={"plaintext": "kept"}, headers=headers, timeout=LIMIT_SECONDS
        )
        opened = requests.post(f"{url}/decrypt", json=package.json(), headers=headers, timeout=LIMIT_SECONDS)
        assert opened.json()["plaintext"] == "kept"
        asked = {"key_length": 4096, "error_rate": 0.02}
        assert requests.post(f"{url}/qkd/generate", json=asked, headers=headers, timeout=LIMIT_SECONDS).ok
    finally:
        run.process.terminate()
        code = run.ended()
        run.close()
    assert code == 0, run.said
