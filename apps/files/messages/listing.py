"""Messages as the platform knows them: by the quantum key that each took. Their packages are kept by nobody here."""

import re
from dataclasses import replace

from apps.audit.records import Actor
from apps.audit.services import entries_page, may_see
from apps.common.dynamodb import BEGINNING, Page, Position
from apps.common.errors import NotFound
from apps.files.services import listed_owner
from apps.sessions import quantum_keys, sealed_messages
from apps.sessions.records import KeyPurpose, QuantumKey

LOOKED_THROUGH = 200  # quantum keys that a page reads where it keeps some of them only
FIRST = 5  # entries: the first about a message is that of its sealing
_MESSAGE = re.compile(r"(msg|batch)-.+")
_PLACE = re.compile(r"(.+)/[0-9]+")  # of a message in its batch


class MessageNotFound(NotFound):
    """No such message, or another's."""


def find(identifier: str, *, actor: Actor) -> QuantumKey:
    """The quantum key of a message, by its own id or by the message's.

    A message's id is looked up in the trail, so that it is found until its entries are archived. A message of a batch
    whose package has stayed where it was sealed is found as its batch.

    Raises:
        MessageNotFound: no such message, or another's.
    """
    key_id = _key_of(identifier) if _MESSAGE.fullmatch(identifier) else identifier
    found = quantum_keys.find_taken(key_id) if key_id else None
    if found is None or found.purpose is not KeyPurpose.MESSAGE:
        raise MessageNotFound(f"There is no message {identifier!r}.")
    if not may_see(actor, found.taken_by, file_id=found.subject):
        raise MessageNotFound(f"There is no message {identifier!r}.")
    return found


def _key_of(message_id: str) -> str | None:
    """The quantum key that the entry of a message's sealing names, or that of its batch."""
    first = entries_page(limit=FIRST, by="file", value=message_id, position=BEGINNING).records
    for entry in reversed(first):
        for key_id in sealed_messages.keys_named(entry.rows):
            return key_id
    in_batch = _PLACE.fullmatch(message_id)
    return _key_of(in_batch[1]) if in_batch else None


def messages_page(
    *,
    actor: Actor,
    limit: int,
    position: Position | None = None,
    owner: str | None = None,
    pool_key: str | None = None,
    session: str | None = None,
) -> Page[QuantumKey]:
    """The quantum keys of messages that the actor may see, newest first; by one Query of the index that fits best.

    Args:
        actor: who asks; who does not see every owner's is given their own.
        limit: of the page. What is looked for among others is on one page, whose length that does not bound.
        position: where it starts.
        owner: who sealed them.
        pool_key: that they are sealed to now.
        session: that gave their quantum keys.

    Raises:
        Invalid: another's messages.
    """
    owner = listed_owner(actor, owner)
    rest = {"sealed_by": pool_key, "session_id": session}
    if owner is not None:
        limit = LOOKED_THROUGH if pool_key or session else limit
        page = sealed_messages.messages(limit=limit, position=position, sealer=owner)
    elif pool_key is not None:
        limit = LOOKED_THROUGH if session else limit
        page = sealed_messages.messages_sealed_by(pool_key, limit=limit, position=position)
    elif session is not None:
        page = quantum_keys.keys_of(session, limit=LOOKED_THROUGH, position=position)
    else:
        page = sealed_messages.messages(limit=limit, position=position)
    kept = [
        key
        for key in page.records
        if key.purpose is KeyPurpose.MESSAGE
        and all(value in {None, getattr(key, name)} for name, value in rest.items())
    ]
    return replace(page, records=kept)


def kind_of(message_id: str) -> str:
    """Say what a message's id names, as people read it."""
    if not message_id.startswith("batch-"):
        return "message"
    in_batch = _PLACE.fullmatch(message_id)
    return "batch" if in_batch is None else "message of a batch"
