"""Break-glass recovery (C12): losing the root key does not lose the files.

A recovery key pair is made once, offline if possible. Its public half goes into the settings, where every new
secret is sealed to it as well; its private half exists only as k-of-n word lists (SLIP-39) with n officers.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from shamir_mnemonic import MnemonicError, Share, combine_mnemonics, generate_mnemonics

from apps.audit.records import Actor
from apps.audit.services import Conflict, record, transaction
from apps.common.errors import Invalid, PlatformError, Refused
from apps.common.root_keys.configured import root_key
from apps.custody import approvals, kept_secrets
from apps.custody.kept_secrets import Unreadable
from apps.custody.records import Approval, Guarded
from apps.custody.trail import RecoveryEvent
from apps.keys import canaries, recovery_seal, wrapped_secrets
from apps.keys.trail import SecretEvent
from apps.keys.wrapped_secrets import WrappedSecret, seal_for_recovery
from qkdseal import kem

Progress = Callable[[int], None]
SAMPLES = 3  # secrets that a check opens


@dataclass(frozen=True, slots=True)
class Made:
    """A recovery key: what goes into the settings, and what goes to the officers and nowhere else."""

    recovery_key_id: str
    public_key: str
    shares: list[str] = field(repr=False)


@dataclass(slots=True)
class Report:
    """What a walk over all secrets found and did."""

    done: int = 0
    already: int = 0
    unsealed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Return whether every secret is sealed and none failed."""
        return not self.unsealed and not self.failed


def make(*, threshold: int, shares: int, actor: Actor) -> Made:
    """A recovery key pair, the private half split so that any ``threshold`` of ``shares`` give it back.

    Raises:
        Invalid: not 2 to 16 shares with 2 to that many needed.
    """
    if not 2 <= threshold <= shares <= 16:
        raise Invalid.of(
            "threshold", "must be at least 2 and at most the number of shares, which is at most 16"
        )
    pair = kem.generate_key_pair(recovery_seal.SUITE)
    words = generate_mnemonics(1, [(threshold, shares)], pair.seed)[0]
    name = recovery_seal.id_of(pair.public_key)
    record(actor, RecoveryEvent.KEY_MADE, recovery_key_id=name, threshold=threshold, shares=shares)
    return Made(name, base64.b64encode(pair.public_key).decode(), list(words))


def seed_from(words: Sequence[str]) -> bytes:
    """The private half of the configured recovery key, from as many of its shares as are needed, or more.

    Raises:
        Invalid: too few, mistyped, or of another key; which share it is, where that can be told.
    """
    shares = _as_shares(words)
    needed = shares[0].member_threshold
    if len(shares) < needed:
        raise Invalid.of("shares", f"are {len(shares)} different ones; {needed} are needed")
    seed = _combine(shares[:needed])
    for number, extra in enumerate(shares[needed:], needed + 1):
        if _combine([*shares[: needed - 1], extra]) != seed:
            raise Invalid.of("shares", f"do not fit together: leave out share {number}, or another")
    try:
        public = kem.public_key_of(seed, suite=recovery_seal.SUITE)
    except ValueError as error:
        raise Invalid.of("shares", f"do not give a key: {error}") from None
    if public != recovery_seal.public_key():
        raise Invalid.of("shares", "belong to another recovery key than RECOVERY_PUBLIC_KEY")
    return seed


def _as_shares(words: Sequence[str]) -> list[Share]:
    """The shares that were typed, without repetitions."""
    found: dict[tuple[int, bytes], Share] = {}
    for number, typed in enumerate(words, 1):
        try:
            share = Share.from_mnemonic(" ".join(typed.lower().split()))
        except MnemonicError as error:
            raise Invalid.of("shares", f"do not give a key: share {number} is mistyped ({error})") from None
        found[share.index, share.value] = share
    if not found:
        raise Invalid.of("shares", "are missing")
    return list(found.values())


def _combine(shares: Sequence[Share]) -> bytes:
    try:
        seed: bytes = combine_mnemonics([share.mnemonic() for share in shares])
    except (MnemonicError, ValueError) as error:
        raise Invalid.of("shares", f"do not give a key: {error}") from None
    return seed


def current_id() -> str:
    """The id of the configured recovery key.

    Raises:
        Refused: none is configured.
    """
    key = recovery_seal.public_key()
    if key is None:
        raise Refused("No recovery key is configured: RECOVERY_PUBLIC_KEY is empty.")
    return recovery_seal.id_of(key)


def seal_missing(*, actor: Actor, progress: Progress | None = None) -> Report:
    """Seal every secret that is not sealed to the configured recovery key. Idempotent."""
    current_id()
    report = Report()
    for secret in _readable(report):
        if wrapped_secrets.is_sealed(secret):
            report.already += 1
        else:
            _attempt(report, secret, lambda: seal_for_recovery(secret, actor=actor))  # noqa: B023 - called at once
        if progress is not None:
            progress(report.done + report.already)
    return report


def check(words: Sequence[str], *, actor: Actor) -> Report:
    """Report which secrets are not sealed and, with shares, compare the first ones with what the root key opens.

    Raises:
        Invalid: the shares do not give the configured recovery key.
    """
    name, report = current_id(), Report()
    seed = seed_from(words) if words else None
    for secret in _readable(report):
        if not wrapped_secrets.is_sealed(secret):
            report.unsealed.append(secret.label)
        elif seed is not None and report.done < SAMPLES:
            _attempt(report, secret, lambda: _compare(secret, seed))  # noqa: B023 - called at once
        else:
            report.already += 1
    record(
        actor,
        RecoveryEvent.CHECKED,
        recovery_key_id=name,
        opened=report.done,
        unsealed=len(report.unsealed),
        failed=len(report.failed),
    )
    return report


def request(*, reason: str, actor: Actor) -> Approval:
    """Ask for the use of the recovery key.

    Raises:
        Refused: none is configured.
    """
    return approvals.request(Guarded.RECOVER, current_id(), reason=reason, actor=actor)


def use(words: Sequence[str], *, approval_id: str, actor: Actor, progress: Progress | None = None) -> Report:
    """Wrap every secret under the current root key, from its recovery seal: the root key it had is gone.

    If interrupted, run it again with the same approval: it continues where it stopped.

    Raises:
        ApprovalNotFound, NotApproved: a second person has not allowed it.
        Invalid: the shares do not give the configured recovery key.
        RootKeyUnavailable: the new root key does not answer.
    """
    approval = approvals.check(approval_id, Guarded.RECOVER, current_id())
    seed, root, report = seed_from(words), root_key(), Report()
    canaries.accept(actor=actor)
    for secret in _readable(report):
        if secret.wrapping.root_key_id == root.id:
            report.already += 1
        elif secret.wrapping.recovery_seal is None:
            report.unsealed.append(secret.label)
        else:
            _attempt(report, secret, lambda: _recover(secret, seed, actor))  # noqa: B023 - called at once
        if progress is not None:
            progress(report.done + report.already)
    with transaction(actor) as tx:
        if report.whole:
            approvals.use(tx, approval)
        tx.audit(
            RecoveryEvent.USED,
            recovery_key_id=approval.subject,
            root_key_id=root.id,
            recovered=report.done,
            lost=len(report.unsealed),
            failed=len(report.failed),
        )
    return report


def _readable(report: Report) -> Iterator[WrappedSecret]:
    """Yield every secret; a record that cannot be read is reported, and does not keep the others."""
    for secret in kept_secrets.walk():
        if isinstance(secret, Unreadable):
            report.failed[secret.label] = secret.why
        else:
            yield secret


def _attempt(report: Report, secret: WrappedSecret, do: Callable[[], None]) -> None:
    """Do something to a secret. What fails is reported, and does not keep the others."""
    try:
        do()
    except Conflict:
        report.already += 1  # someone else did it just now
    except kem.OpenFailed:
        report.failed[secret.label] = "the recovery seal does not open: it was changed, or is of another key"
    except PlatformError as error:
        report.failed[secret.label] = error.detail
    else:
        report.done += 1


def _compare(secret: WrappedSecret, seed: bytes) -> None:
    if wrapped_secrets.open_seal(secret, seed=seed) != wrapped_secrets.unwrap(secret):
        raise Refused("the recovery seal holds something else than the root key wraps")


def _recover(secret: WrappedSecret, seed: bytes, actor: Actor) -> None:
    opened = wrapped_secrets.open_seal(secret, seed=seed)
    wrapped_secrets.rewrap(secret, opened, event=SecretEvent.RECOVERED, actor=actor)
