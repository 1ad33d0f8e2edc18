"""Links over which tests run sessions."""

from apps.links import services as links
from apps.links.records import EVERYONE, Link
from tests.conftest import TESTS


def a_link(link_id: str, *users: str) -> Link:
    """Make a link; everybody may use it unless somebody is named."""
    return links.make(link_id, name=f"Link {link_id}", users=users or (EVERYONE,), actor=TESTS)
