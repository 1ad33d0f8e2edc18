"""Sessions over a link to another site: Bob asks for one, Alice answers, each keeps its end."""

import os
import ssl
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from apps.audit.records import Actor, system
from apps.audit.services import Conflict
from apps.common.errors import Invalid
from apps.kme.sites import channel, wire
from apps.kme.sites.wire import Broken
from apps.links import services as links
from apps.links.records import Link, LinkSource
from apps.sessions import sites
from apps.sessions.records import Session

if TYPE_CHECKING:
    from apps.kme.sites.parties import Ended

SECRET_BYTES = 32
NONCE_BYTES = 16  # of each end, so that no two sessions have one authentication key
PATIENCE_SECONDS = 20.0  # with a silent end, for each message


def runner_of(link_id: str) -> Actor:
    """Whose the sessions over a link to another site are: the platform's."""
    return system(f"link {link_id}")


def find(link_id: str) -> Link:
    """A link to another site.

    Raises:
        LinkNotFound: no such link.
        Invalid: its other end is no other site.
    """
    link = links.find(link_id)
    if link.source is not LinkSource.OTHER_SITE:
        raise Invalid.of("link", f"The keys over {link_id} come from {link.source}, not from another site.")
    return link


def role_of(link: Link) -> str:
    """Which end of a link is here."""
    return str((link.parameters or {})["role"])


def secret_of(link_id: str) -> bytes:
    """The secret that both sites share for a link.

    Raises:
        Invalid: LINK_SECRETS names no file with one.
    """
    named = settings.LINK_SECRETS.get(link_id)
    try:
        found = Path(str(named)).read_bytes() if named else b""
    except OSError as error:
        raise Invalid(f"The file that LINK_SECRETS names for {link_id} cannot be read.") from error
    if len(found) < SECRET_BYTES:
        raise Invalid(f"LINK_SECRETS has to name a file of {SECRET_BYTES} bytes or more for {link_id}.")
    return found


@dataclass
class End:
    """This site's end of a link.

    Args:
        link_id: of the link.
        quantum: where the quantum channel is.
        context: with our certificate.
    """

    link_id: str
    quantum: tuple[str, int]
    context: ssl.SSLContext = field(repr=False)

    def answer(self, connection: ssl.SSLSocket) -> Session | None:
        """As Alice: run the session that a connection asks for. None where it left nothing to keep.

        Raises:
            Broken: it is not Bob, or does not ask for what can be.
            PlatformError: the link runs no sessions now; or the session cannot be kept.
        """
        connection.settimeout(PATIENCE_SECONDS)
        asked = wire.receive_document(connection)
        link = self._running(sites.ALICE)
        if wire.name_of(connection) != (link.parameters or {})["peer"]:
            raise Broken("a stranger asked for a session")
        session_id, nonce = _asked(asked, self.link_id)
        if sites.statuses(self.link_id, [session_id]):
            raise Broken("a session was asked for that there is already")
        from apps.kme.sites import parties  # noqa: PLC0415 - the engine is loaded where it runs

        setting = parties.Setting.of(link.parameters or {})
        with wire.connect(self.quantum, self.context, seconds=PATIENCE_SECONDS) as quantum:
            record = channel.alice_notes(quantum, session_id, setting.plan.pulses)
        mine = _nonce()
        wire.send_document(connection, {"version": wire.VERSION, "session": session_id, "nonce": mine.hex()})
        key = parties.authentication(
            secret_of(self.link_id), link=self.link_id, session_id=session_id, nonces=(nonce, mine)
        )
        ended = parties.as_alice(connection, record, setting, key, session_id=session_id)
        return None if ended is None else self._keep(link, ended)

    def lead(self, address: tuple[str, int], *, giver: str) -> Session:
        """As Bob: ask Alice for a session, whose keys a site gives out, and run it.

        Raises:
            Broken: Alice or the channel is not there, or does not do as agreed.
            PlatformError: the link runs no sessions now; or the session cannot be kept.
        """
        from apps.kme.sites import parties  # noqa: PLC0415
        from qkd.classical import ConnectionLostError  # noqa: PLC0415

        link = self._running(sites.BOB)
        session_id, mine = _session_id(giver), _nonce()
        setting = parties.Setting.of(link.parameters or {})
        with wire.connect(address, self.context, seconds=PATIENCE_SECONDS) as connection:
            asked = {
                "version": wire.VERSION,
                "link": self.link_id,
                "session": session_id,
                "nonce": mine.hex(),
            }
            wire.send_document(connection, asked)
            told = wire.receive_document(connection)
            nonce = _read_nonce(told)
            if told.get("version") != wire.VERSION or told.get("session") != session_id:
                raise Broken("Alice answers another question, or speaks another version")
            with wire.connect(self.quantum, self.context, seconds=PATIENCE_SECONDS) as quantum:
                record = channel.bob_notes(quantum, session_id, setting.plan.pulses)
            key = parties.authentication(
                secret_of(self.link_id), link=self.link_id, session_id=session_id, nonces=(mine, nonce)
            )
            try:
                ended = parties.as_bob(connection, record, setting, key, session_id=session_id)
            except ConnectionLostError as error:
                raise Broken(f"Alice is gone: {error}") from error
        return self._keep(link, ended)

    def _running(self, role: str) -> Link:
        link = links.running(self.link_id, actor=runner_of(self.link_id))
        if link.source is not LinkSource.OTHER_SITE or role_of(link) != role:
            raise Invalid.of("link", f"{self.link_id} is no link whose {role} is here.")
        return link

    def _keep(self, link: Link, ended: "Ended") -> Session:
        try:
            return sites.keep(link, ended.found, ended.key, actor=runner_of(self.link_id))
        except Conflict as error:
            raise Broken("there is a session of this id already") from error


def _asked(asked: dict[str, Any], link_id: str) -> tuple[str, bytes]:
    if asked.get("version") != wire.VERSION or asked.get("link") != link_id:
        raise Broken("Bob speaks another version, or of another link")
    session_id = str(asked.get("session"))
    try:
        canonical = str(uuid.UUID(session_id))
    except ValueError:
        canonical = ""
    if session_id != canonical:
        raise Broken("Bob's id of a session is no UUID")
    return session_id, _read_nonce(asked)


def _nonce() -> bytes:
    return os.urandom(NONCE_BYTES)


def _read_nonce(document: dict[str, Any]) -> bytes:
    try:
        found = bytes.fromhex(str(document.get("nonce")))
    except ValueError:
        found = b""
    if len(found) != NONCE_BYTES:
        raise Broken("the other end gave no nonce")
    return found


def _session_id(giver: str) -> str:
    while sites.issuer_of(made := str(uuid.uuid4())) != giver:
        pass
    return made
