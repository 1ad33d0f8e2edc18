"""The product's settings with secrets that only the tests use."""

import os
import tempfile

os.environ.update(
    {
        "QKD_STAGE": "local",
        "LOCAL_DIR": os.environ.get("LOCAL_DIR", tempfile.gettempdir() + "/qkdplatform-tests"),
        "DJANGO_SECRET_KEY": "tests only: " + "k" * 50,
        "API_KEY_PEPPER": "tests only: pepper",
        "AUDIT_KEY": "tests only: audit",
        "RECORD_KEY": "tests only: records",
        "METADATA_KEY": "tests only: metadata",
        "POOL_LOW_WATER": "1",  # pools of a few keys: what the mark does is tested where it is set
        "THROTTLE_BURST": "0",  # what throttles cost and do is tested where they are set
        "FAILED_AUTHENTICATIONS": "0",
        "CONFIRM_SECONDS": "0",  # what is confirmed is tested where it is set; most tests sign in without a form
        "DATABASE_URL": os.environ.get("TEST_DATABASE_URL", "sqlite://:memory:"),
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "METRICS": "off",
        "LOG_LEVEL": "WARNING",
    }
)

from qkdplatform.settings import *  # noqa: F403 - after the environment

INSTALLED_APPS += ["allauth.socialaccount.providers.openid_connect"]  # noqa: F405 - tests name pools themselves
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast; tests only
WHITENOISE_AUTOREFRESH = (
    True  # a file is looked for when it is asked for; not all of them for each client of a test
)
