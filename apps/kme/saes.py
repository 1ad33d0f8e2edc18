"""Applications that keys are delivered to (SAEs): registered, changed, revoked, found by the certificate they show."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from apps.access import principals
from apps.access.records import PrincipalKind
from apps.access.roles import Role
from apps.audit.records import Actor, Event
from apps.audit.services import transaction
from apps.common import clock
from apps.common.dynamodb import Page, Position
from apps.common.errors import Invalid, Refused
from apps.common.idempotency import keep
from apps.kme import expiring, store
from apps.kme.certificates import read_certificate
from apps.kme.records import ANY_PEER, NotAuthorised, Sae, SaeNotFound, SaeState
from apps.kme.store import SaeTable
from apps.kme.trail import SaeEvent
from apps.links import services as links
from apps.links.records import LinkSource

ID = r"^[A-Za-z0-9._:@-]{1,64}$"  # a certificate's common name has at most 64 characters
FINGERPRINT = r"^[0-9a-f]{64}$"
CHANGEABLE = frozenset({"name", "fingerprints", "subject", "revoked", "peers", "keys_a_day", "link", "site"})
MOST = 50  # fingerprints, or peers, of an application
MOST_KEYS_A_DAY = 10_000_000


def register(sae_id: str, *, name: str, actor: Actor, principal_id: str | None = None, **chosen: Any) -> Sae:
    """Register an application, with its certificates and what it may ask for.

    Args:
        sae_id: the common name of its certificates.
        name: for people.
        actor: who registers it.
        principal_id: the service that it is; one is made for it unless told, which holds no more than a viewer.
        chosen: fields of CHANGEABLE; either ``fingerprints`` or ``subject`` has to be among them.

    Raises:
        Invalid: a value is not allowed.
        PrincipalNotFound: no such service.
        Forbidden: the service holds more than the actor.
        Refused: there is such an application already.
    """
    if not re.fullmatch(ID, sae_id):
        raise Invalid.of("sae_id", "Letters, digits and . _ : @ -, up to 64.")
    if SaeTable.find(sae_id) is not None:
        raise Refused(f"There is an application {sae_id!r} already.")
    bare = Sae(sae_id, "", name, SaeState.ACTIVE, clock.now(), str(actor))
    made = _with(bare, chosen)
    made = replace(made, principal_id=_principal_of(made, principal_id, actor))
    row = SaeTable.of(made)
    with transaction(actor) as tx:
        keep(tx, "sae", sae_id=sae_id)
        tx.put(row, otherwise=Refused(f"There is an application {sae_id!r} already."))
        tx.audit(SaeEvent.REGISTERED, sae=sae_id, principal=made.principal_id, peers=list(made.peers))
    return row.record()


def _principal_of(sae: Sae, principal_id: str | None, actor: Actor) -> str:
    if principal_id is None:
        return principals.make_service(f"SAE {sae.sae_id}", role=Role.VIEWER, actor=actor).principal_id
    found = principals.find(principal_id)
    if found.kind is not PrincipalKind.SERVICE:
        raise Invalid.of("principal", "An application is a service (service:<id>).")
    principals.check_may_change(found, actor)
    return found.principal_id


def change(sae_id: str, *, actor: Actor, reason: str, **changes: Any) -> Sae:
    """Change which certificates are an application's, and what it may ask for: any fields of CHANGEABLE.

    Raises:
        SaeNotFound: no such application.
        Invalid: a value is not allowed.
        Forbidden: the service that it is holds more than the actor, who could come as it by a certificate of their own.
        Refused: it is revoked, or was changed meanwhile.
    """
    before = find(sae_id)
    if not before.is_active:
        raise Refused(f"Application {sae_id} is revoked. Register another.")
    principals.check_may_change(principals.find(before.principal_id), actor)
    after = replace(_with(before, changes), reason=reason)
    return _replace(after, SaeEvent.CHANGED, actor, reason=reason, fields=sorted(changes))


def revoke(sae_id: str, *, actor: Actor, reason: str) -> Sae:
    """Deliver nothing to an application any more, at once and for good; what it asked for waits for nobody.

    Raises:
        SaeNotFound: no such application.
        Refused: it is revoked already.
    """
    before = find(sae_id)
    if not before.is_active:
        raise Refused(f"Application {sae_id} is revoked already.")
    after = replace(before, state=SaeState.REVOKED, reason=reason)
    return _replace(after, SaeEvent.REVOKED, actor, reason=reason)


def _replace(after: Sae, event: Event, actor: Actor, **detail: Any) -> Sae:
    row = SaeTable.of(replace(after, changed_at=clock.now()))
    with transaction(actor) as tx:
        tx.replace(
            row, otherwise=Refused(f"Application {after.sae_id} was changed meanwhile. Look at it again.")
        )
        tx.audit(event, sae=after.sae_id, **detail)
    return row.record()


def find(sae_id: str) -> Sae:
    """One application, read consistently.

    Raises:
        SaeNotFound: no such application.
    """
    found = SaeTable.find(sae_id)
    if found is None:
        raise SaeNotFound(f"There is no application {sae_id!r}.")
    return found


def find_all(sae_ids: Sequence[str]) -> dict[str, Sae]:
    """Those of some applications that are registered, by id."""
    wanted = sorted({one for one in sae_ids if re.fullmatch(ID, one)})
    return {one.sae_id: one for one in store.saes_of(wanted)} if wanted else {}


def listed(*, limit: int, position: Position | None = None) -> Page[Sae]:
    """Applications, newest first."""
    return store.saes_page(limit=limit, position=position)


def authenticate(pem: str) -> tuple[Sae, str]:
    """Find the application whose certificate TLS verified, as it is registered now; with the certificate's fingerprint.

    Raises:
        NotAuthorised: there is no certificate, it is nobody's or does not count any more, or its application is revoked
            or disabled.
    """
    certificate = read_certificate(pem)
    moment = clock.now()
    if not certificate.not_before <= moment <= certificate.not_after:
        raise NotAuthorised("The certificate has expired, or is not valid yet.")
    found = SaeTable.find(certificate.common_name) if certificate.common_name else None
    if found is None or not found.is_active or found.site is not None or not found.shows(certificate):
        raise NotAuthorised("The certificate is not one of a registered application.")
    principal = principals.find_all(found.principal_id).get(found.principal_id)
    if principal is None or not principal.active:
        raise NotAuthorised("The application is disabled.")
    expiring.note_shown(found, certificate)
    return found, certificate.fingerprint


def _with(sae: Sae, changes: Mapping[str, Any]) -> Sae:
    """The application with what is changed.

    Raises:
        Invalid: a field cannot be changed, or not to that.
    """
    for name in changes:
        if name not in CHANGEABLE:
            raise Invalid.of(name, f"cannot be chosen; what can be is {', '.join(sorted(CHANGEABLE))}")
    words = {name: _as_words(value) for name, value in changes.items() if isinstance(value, list | tuple)}
    chosen: dict[str, Any] = {**changes, **words}
    after = replace(sae, **chosen)
    for field in ("fingerprints", "revoked"):
        _check_words(field, getattr(after, field), FINGERPRINT, "the SHA-256 of a certificate, 64 of 0-9 a-f")
    _check_words("peers", [one for one in after.peers if one != ANY_PEER], ID, "ids of applications, or *")
    if bool(after.fingerprints) is bool(after.subject):
        raise Invalid.of("fingerprints", "give either fingerprints or a subject, so that it is known by one")
    if after.subject is not None and len(after.subject) > 1024:
        raise Invalid.of("subject", "at most 1,024 characters")
    if after.keys_a_day is not None and not 0 <= after.keys_a_day <= MOST_KEYS_A_DAY:
        raise Invalid.of("keys_a_day", f"from 0 to {MOST_KEYS_A_DAY:,}, or nothing for any number")
    if after.link is not None and after.link != sae.link:
        links.find(after.link)
    if (
        after.site is not None
        and after.site != sae.site
        and links.find(after.site).source is not LinkSource.OTHER_SITE
    ):
        raise Invalid.of("site", "the id of a link to another site of the platform, or nothing")
    return after


def _as_words(value: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(set(value)))


def _check_words(field: str, words: Sequence[str], pattern: str, allowed: str) -> None:
    if len(words) > MOST or not all(re.fullmatch(pattern, word) for word in words):
        raise Invalid.of(field, f"at most {MOST}: {allowed}")
