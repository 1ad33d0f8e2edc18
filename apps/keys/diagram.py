"""The state diagram of pool keys, drawn from the table of transitions: ``manage.py key_states --write``."""

from pathlib import Path

from apps.keys.records import OPENS, TRANSITIONS, KeyState

PAGE = Path("docs/key-states.md")
SP_800_57 = {
    KeyState.PRE_ACTIVE: "pre-activation",
    KeyState.ACTIVE: "active",
    KeyState.SUSPENDED: "suspended",
    KeyState.ROTATION_QUEUED: "deactivating",
    KeyState.EXPIRED: "deactivated",
    KeyState.REVOKED: "compromised",
    KeyState.DESTROYED: "destroyed",
}
_HEAD = """# States of a pool key

Made by `manage.py key_states --write` from `apps/keys/records.py`; every other transition is refused.
"""
_COLUMNS = "| state | SP 800-57 | seals | opens |\n|---|---|---|---|"
_FOOT = (
    "A key below the pool's minimum version, or one that awaits its destruction, opens nothing either, "
    "except to re-wrap a file under another key."
)
MADE = ("create", KeyState.ACTIVE), ("import", KeyState.PRE_ACTIVE)


def mermaid() -> str:
    """The diagram as Mermaid text."""
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {target}: {name}" for name, target in MADE]
    lines += [f"    {one.source} --> {one.target}: {one.name}" for one in TRANSITIONS]
    return "\n".join([*lines, f"    {KeyState.DESTROYED} --> [*]"])


def page() -> str:
    """The page of the documentation."""
    rows = [
        f"| `{state}` | {name} | {_seals(state)} | {_opens(state)} |" for state, name in SP_800_57.items()
    ]
    return "\n".join([_HEAD, "```mermaid", mermaid(), "```", "", _COLUMNS, *rows, "", _FOOT, ""])


def _seals(state: KeyState) -> str:
    return "yes" if state is KeyState.ACTIVE else "no"


def _opens(state: KeyState) -> str:
    if state is KeyState.SUSPENDED:
        return "to re-wrap only"
    return "yes" if state in OPENS else "no"
