"""Management commands on Lambda, as ``make manage STAGE=… DO="…"`` and ``zappa manage`` send them.

Who may invoke the function may run these and no others: no shell, no dump, no command that asks at a terminal. What a
command writes is the answer, never logged: it may be a secret that is shown once.
"""

import io
import os
import shlex
from collections.abc import Mapping

from django.core.management import call_command
from django.core.management.base import CommandError

from qkdplatform.errors import UnknownEvent

PLAIN = frozenset({"check", "migrate"})  # Django's own: without arguments
OPERATORS = frozenset(
    {
        "api_client",
        "bootstrap",
        "find_bodies",
        "link",
        "person",
        "pool",
        "redrive",
        "root_key",
        "set_keys_aside",
        "stuck",
        "verify_audit",
    }
)
SCHEDULES = frozenset({"run_schedule"})
COMMANDS = PLAIN | OPERATORS | SCHEDULES


def run_command(command: object) -> Mapping[str, object]:
    """Run a command, and return ``{"ok": …, "output": …}``.

    Raises:
        UnknownEvent: it is none of those that may be run here.
    """
    words = _words(command)
    os.environ.setdefault(
        "LOGNAME", "lambda"
    )  # commands name their user in the trail, and Lambda's need have no name
    output = io.StringIO()
    try:
        call_command(*words, stdout=output, stderr=output, no_color=True)
    except CommandError as error:
        output.write(f"{error}\n")
    except SystemExit as ended:
        return {"ok": ended.code in {None, 0}, "output": output.getvalue()}
    else:
        return {"ok": True, "output": output.getvalue()}
    return {"ok": False, "output": output.getvalue()}


def _words(command: object) -> list[str]:
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:  # a quotation that does not end
        words = []
    name = words[0] if words else ""
    if name not in COMMANDS or (name in PLAIN and len(words) > 1):
        allowed = f"{', '.join(sorted(COMMANDS))}; {' and '.join(sorted(PLAIN))} without arguments"
        raise UnknownEvent(f"of the management commands only these run here: {allowed}")
    return [*words, "--no-input"] if name == "migrate" else words
