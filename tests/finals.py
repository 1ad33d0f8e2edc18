"""Final keys as they are stored."""

from apps.sessions import finals
from apps.sessions.records import FinalKey


def final_key(session_id: str) -> FinalKey:
    """The final key of a session that has one."""
    found = finals.find(session_id)
    assert found is not None
    return found
