"""Cookies are for TLS only wherever the platform is reached by TLS, a local one behind a proxy included."""

import os
import subprocess
import sys

import pytest

from apps.stack.configuration import ROOT
from tests import requirement


@requirement("E7")
@pytest.mark.parametrize(
    ("base_url", "secure"), [("https://qkd.example.com", True), ("http://127.0.0.1:8000", False)]
)
def test_a_local_platform_behind_tls_sets_no_cookie_for_http(tmp_path, base_url, secure):
    code = "from django.conf import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE)"
    secrets = dict.fromkeys(
        ("API_KEY_PEPPER", "AUDIT_KEY", "RECORD_KEY", "METADATA_KEY", "DJANGO_SECRET_KEY"), "tests only " * 5
    )
    own = {
        "QKD_STAGE": "local",
        "LOCAL_DIR": str(tmp_path),
        "BASE_URL": base_url,
        "DJANGO_SETTINGS_MODULE": "qkdplatform.settings",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=own | secrets, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(secure)] * 2
