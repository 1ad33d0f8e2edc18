"""Tell who stands behind a principal, so that nobody can approve what they asked for under another name.

A person is one principal, whatever the name, the sign-in or the API key. Two persons who share an e-mail address
count as one all the same: it is one who reads what both are sent.
"""

from apps.access.records import PrincipalKind
from apps.access.users import User, username_key


def are_one_person(one: str, other: str) -> bool:
    """Return whether two principals, by their ids, may be the same person."""
    return one == other or bool(_address(one) and _address(one) == _address(other))


def _address(principal_id: str) -> str:
    kind, _, identifier = principal_id.partition(":")
    if kind != PrincipalKind.PERSON:
        return ""
    user = User.objects.filter(pk=identifier).only("email").first()
    return username_key(user.email.strip()) if user else ""
