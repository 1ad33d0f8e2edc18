"""Keys out of the stock: an application is given them, and they wait for the peers that it shares them with.

All keys of a request leave the stock in one transaction with the rows that say whom they wait for. Where its answer is
lost on the way, they wait until their time ends, and nobody else is ever given them (I3).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings

from apps.audit.records import Actor, Outcome
from apps.audit.services import Transaction, record, transaction
from apps.common import clock
from apps.kme import limits, saes
from apps.kme.limits import KeyRequest
from apps.kme.records import DeliveredKey, DeliveredState, GivenKey, NotAuthorised, QuotaUsedUp, Sae
from apps.kme.sites import asking, handing
from apps.kme.sites.handing import Offered
from apps.kme.store import DeliveredKeyTable, UsageTable
from apps.kme.trail import DeliveryEvent
from apps.links import services as links
from apps.links.records import Link, LinkNotFound
from apps.sessions import committing, stock
from apps.sessions.records import KeyPurpose, Offer, StockEmpty
from apps.sessions.taking import take_keys

MARGIN_SECONDS = 86_400  # that a day's count is kept beyond it
OTHER_ROWS = 3  # of the transaction: entry, head, count of the day


@dataclass(frozen=True, slots=True)
class Supply:
    """What is ready for a pair of applications."""

    master: str
    slave: str
    stored: int
    target: str  # the entity from which the slave collects


def supply(master: Sae, slave: str, *, actor: Actor) -> Supply:
    """Count the keys of the usual size that a pair of applications can be given.

    Raises:
        NotAuthorised: the slave is not one of the master's peers.
    """
    site = check_peers(master, (slave,), actor=actor)
    pieces = _pieces(master.link, site)
    stored = min(pieces // limits.pieces_of(settings.KME_KEY_BITS), settings.KME_MAX_KEY_COUNT)
    target = settings.KME_ID if site is None else str((links.find(site).parameters or {}).get("peer"))
    return Supply(master.sae_id, slave, stored, target)


def _pieces(link: str | None, site: str | None) -> int:
    """Count the quantum keys that ``issue`` would give out now: none over a link that gives none."""
    try:
        if (over := site or link) is not None:
            _check_link(over)
    except StockEmpty:
        return 0
    return stock.ready_over(link) if site is None else stock.shared_over(site)


def issue(master: Sae, request: KeyRequest, *, actor: Actor) -> list[GivenKey]:
    """Give a master keys that no other application ever gets, but the slaves that it names.

    Raises:
        Invalid: the request asks for what no application may have.
        NotAuthorised: a slave is not one of its peers.
        QuotaUsedUp: it took as many keys as it may in a day.
        StockEmpty: there are not as many keys now; sessions are being run.
        Unavailable: the trail cannot be written, the link gives no keys now, or the slaves' site does not hold them.
    """
    limits.check(request)
    site = check_peers(master, request.slaves, actor=actor)
    link = site or request.link or master.link
    if site is not None and request.link not in {None, site}:
        raise limits.refused("extension_mandatory", "The slaves' site is reached over another link.")
    found = None if link is None else _check_link(link)
    if found is None or site is None:
        return [given for given, _ in _taken(master, request, link, actor=actor)]
    asking.check_rest(found)
    taken = _taken(master, request, link, actor=actor, shared=True)
    handing.hand_over(found, [offered for _, offered in taken], actor=actor)
    return [given for given, _ in taken]


def _taken(
    master: Sae, request: KeyRequest, link: str | None, *, actor: Actor, shared: bool = False
) -> list[tuple[GivenKey, Offered]]:
    """Have quantum keys leave the stock together, with the rows of the keys that they are put together to."""
    each = limits.pieces_of(request.bits)

    def attempt(offers: Sequence[Offer]) -> list[tuple[GivenKey, Offered]]:
        pieces = [piece for one in offers for piece in one.pieces]
        keys = [_delivered(request, pieces[n * each : (n + 1) * each], master) for n in range(request.number)]
        with transaction(actor) as tx:
            committing.take_together(tx, offers, purpose=KeyPurpose.DELIVERY, subject=keys[0].key_id)
            rows = [DeliveredKeyTable.of(key) for key in keys]
            for row in rows:
                tx.put(row)  # which tags it
            _count(tx, master, request.number)
            tx.audit(
                DeliveryEvent.ISSUED,
                key_id=keys[0].key_id,
                sae=master.sae_id,
                slaves=list(request.slaves),
                keys=[key.key_id for key in keys],
                bits=request.bits,
            )
        bits = b"".join(piece for _, piece in pieces)
        width = each * limits.PIECE_BITS // 8
        kept = [row.record() for row in rows]
        parts = [bits[n * width : (n + 1) * width] for n in range(request.number)]
        return [
            (
                GivenKey(key.key_id, part[: request.bits // 8]),
                Offered(key, handing.proof_of(key, part)),
            )
            for key, part in zip(kept, parts, strict=True)
        ]

    return take_keys(
        attempt,
        count=each * request.number,
        actor=actor,
        link=link,
        shared=shared,
        room=100 - OTHER_ROWS - request.number,
    )


def check_peers(master: Sae, slaves: Sequence[str], *, actor: Actor) -> str | None:
    """Refuse keys that would be shared with others than the master's peers; the attempt is recorded.

    Returns the link to the site where the slaves are; None where that is this one.

    Raises:
        NotAuthorised: one of them is no peer, not registered, revoked, or the master itself.
    """
    found = saes.find_all(slaves)
    for slave in slaves:
        peer = found.get(slave)
        if peer is None or not peer.is_active or slave == master.sae_id or not master.may_ask_for(slave):
            record(actor, DeliveryEvent.REFUSED, outcome=Outcome.DENIED, sae=master.sae_id, slave=slave[:64])
            raise NotAuthorised("The SAE may not share keys with one of those that it names.")
    sites = {found[slave].site for slave in slaves}
    if len(sites) > 1:
        raise limits.refused("additional_slave_SAE_IDs", "all slaves of a key shall be at one site")
    return sites.pop()


def _check_link(link_id: str) -> Link:
    try:
        found = links.find(link_id)
    except LinkNotFound as error:
        raise StockEmpty("The link that the keys come from is not known here.") from error
    if not found.is_active:
        raise StockEmpty(f"The link that the keys come from is {found.state}.")
    return found


def _delivered(request: KeyRequest, pieces: Sequence[tuple[str, bytes]], master: Sae) -> DeliveredKey:
    moment = clock.now()
    return DeliveredKey(
        key_id=str(uuid.uuid4()),
        master=master.sae_id,
        slaves=request.slaves,
        size=request.bits,
        pieces=tuple(piece_id for piece_id, _ in pieces),
        state=DeliveredState.WAITING,
        issued_at=moment,
        expires_at=moment + timedelta(seconds=settings.KME_WAIT_SECONDS),
    )


def _count(tx: Transaction, master: Sae, number: int) -> None:
    """Count keys of an application's day in the transaction that gives them.

    Raises (at commit):
        QuotaUsedUp: they are more than it may have.
    """
    if master.keys_a_day is None:
        return
    moment, used = clock.now(), UsageTable.used
    most = int(master.keys_a_day) - number
    refusal = QuotaUsedUp(f"The SAE may ask for {int(master.keys_a_day)} keys a day.")
    if most < 0:
        raise refusal
    tx.update(
        UsageTable(usage_id=f"{master.sae_id}|{moment:%Y-%m-%d}"),
        [used.add(number), UsageTable.ttl.set(int(moment.timestamp()) + 2 * MARGIN_SECONDS)],
        condition=used.does_not_exist() | (used <= most),
        otherwise=refusal,
    )
