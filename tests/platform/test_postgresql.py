"""The relational side on the database of deployed stages: PostgreSQL itself, started by its wheel."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from apps.stack.configuration import ROOT
from tests import requirement
from tests.postgres import server
from tests.waiting import LIMIT_SECONDS

# People, sign-ins, sessions and the shared cache: what is kept there
WHAT = ["tests/access/test_people.py", "tests/platform/test_rotation.py"]


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of a server that lives as long as this module."""
    with server() as address:
        yield address


def run(database, *arguments):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment | {"TEST_DATABASE_URL": database, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT_SECONDS,
        check=False,
    )


@requirement("G1", "F1")
def test_migrations_make_every_table_and_the_shared_cache_twice_over(database):
    for _ in range(2):
        done = run(database, "manage.py", "migrate", "--no-input")
        assert done.returncode == 0, done.stderr
    code = (
        "import django; django.setup();"
        "from django.db import connection;"
        "print(connection.vendor, *sorted(connection.introspection.table_names()))"
    )
    found = run(database, "-c", code).stdout.split()
    assert found[0] == "postgresql"
    assert {"access_user", "django_session", "shared_cache"} <= set(found)


@requirement("G1", "F1")
def test_people_sign_ins_sessions_and_the_cache_work_there(database):
    done = run(database, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *WHAT)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
