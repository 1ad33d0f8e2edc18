"""Every wrapped secret of the platform: the seeds of pool keys, and the final keys of sessions."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from apps.audit.records import system
from apps.common.authenticated import RecordForged
from apps.common.dynamodb import Page, Position, pages
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.wrapped_secrets import SecretKind, WrappedSecret
from apps.sessions import finals
from apps.sessions import services as sessions

PAGE = 100
_EVERYONE = system("recovery")  # lists what anyone owns


def _seed(key_id: str) -> WrappedSecret | None:
    key = keys.find(key_id)
    return None if key.wrapped_seed is None else seeds.secret_of(key)


def _final(session_id: str) -> WrappedSecret | None:
    final = finals.find(session_id)
    return None if final is None else finals.secret_of(final)


FINDERS: tuple[tuple[SecretKind, Callable[[str], WrappedSecret | None]], ...] = (
    (seeds.KIND, _seed),
    (finals.KIND, _final),
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record whose secret cannot be had, since it is not as the platform wrote it."""

    label: str
    why: str


def walk() -> Iterator[WrappedSecret | Unreadable]:
    """Yield every secret, by pages of one Query each; what is listed may be stale, so each is read again."""
    yield from _walk(
        seeds.KIND, _seed, lambda at: keys.keys_page(limit=PAGE, position=at), lambda key: key.key_id
    )
    yield from _walk(finals.KIND, _final, _sessions, lambda session: session.session_id)


def _sessions(position: Position | None) -> Page[Any]:
    return sessions.listed(actor=_EVERYONE, limit=PAGE, position=position)


def _walk(
    kind: SecretKind,
    find: Callable[[str], WrappedSecret | None],
    page_at: Callable[[Position | None], Page[Any]],
    id_of: Callable[[Any], str],
) -> Iterator[WrappedSecret | Unreadable]:
    for page in pages(page_at):
        for name in page.left_out:
            yield Unreadable(name, "its record was changed outside of the platform, or moved between lists")
        for record in page.records:
            try:
                secret = find(id_of(record))
            except RecordForged as error:
                yield Unreadable(kind.label.format(id_of(record)), error.detail)
            else:
                if secret is not None:
                    yield secret
