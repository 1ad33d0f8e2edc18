"""A stage as the deploy steps know it: its configuration, and what its stacks put out."""

import importlib.util
import sys
from typing import Any

from apps.stack import uv


def read_config(stage: str) -> Any:
    """Read a stage's configuration by the one module that knows it, which the stacks use, too.

    Raises:
        BadStage: a value is not allowed.
    """
    spec = importlib.util.spec_from_file_location("infra_config", uv.ROOT / "infra" / "config.py")
    if spec is None or spec.loader is None:
        raise BadStage("infra/config.py is missing.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    try:
        return module.Config.read(stage)
    except module.BadConfig as error:
        raise BadStage(str(error)) from None


class BadStage(Exception):
    """The stage cannot be deployed as it is; the message says what to change."""
