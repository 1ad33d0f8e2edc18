"""The package, made once for the tests that need it."""

import zipfile
from pathlib import Path

import pytest

from deploy import contents, pack
from tests.function import runtime_of


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The package itself, as `make package` makes it."""
    build = tmp_path_factory.mktemp("build")
    return build, pack.pack(build)


@pytest.fixture(scope="session")
def runtime(package, tmp_path_factory):
    """What Lambda has beside the package: the SDK."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in contents.RUNTIME_BRINGS:
        (folder / name).symlink_to(Path(str(__import__(name).__file__)).parent)
    return [str(package[0] / "package"), str(folder)]


@pytest.fixture(scope="session")
def on_runtime_client(package, tmp_path_factory):
    """The zip's content, and AWS's own runtime client (awslambdaric) beside it."""
    folder = tmp_path_factory.mktemp("function")
    with zipfile.ZipFile(package[0] / "package.zip") as packed:
        packed.extractall(folder / "task")
    return [str(folder / "task"), *runtime_of(folder / "runtime")]
