"""What was sealed is opened again, with the seed that is kept, before the plaintext is removed (I4)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from apps.common.root_keys.configured import root_key
from apps.files.bodies import encrypted as encrypted_bodies
from apps.files.keys import reencrypt, rewrap
from apps.files.reading import content as reading
from apps.keys import seeds
from apps.keys import services as keys
from apps.keys.records import KeyUnusable, PoolKey
from apps.keys.store import PoolKeyTable
from qkdplatform.lambda_handler import handler
from qkdseal import envelope, kem
from tests import requirement
from tests.conftest import TESTS, Api
from tests.files.test_documents import encrypted
from tests.tables import save, tamper
from tests.uploads import deliver, plaintext_of, record_of, registered


@contextmanager
def counted_unwraps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, str]]]:
    """What the root key is asked to unwrap: calls of KMS."""
    made: list[dict[str, str]] = []
    unwrap = type(root_key()).unwrap

    def noted(self: Any, wrapped: bytes, *, context: dict[str, str]) -> bytes:
        made.append(dict(context))
        return unwrap(self, wrapped, context=context)

    with monkeypatch.context() as patch:
        patch.setattr(type(root_key()), "unwrap", noted)
        yield made


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Do something once, after the body of an upload was written and before its record is committed."""

    def do(act: Any) -> list[str]:
        write, done = encrypted_bodies.write, list[str]()

        def written(*given: Any, **named: Any) -> Any:
            result = write(*given, **named)
            if not done:
                done.append(act())
            return result

        monkeypatch.setattr(encrypted_bodies, "write", written)
        return done

    return do


def flip(name: str) -> str:
    """Flip a bit of the pool key that uploads are sealed to now."""
    picked = keys.pick()
    data = getattr(picked, name)
    changed = {name: {"B": bytes([data[0] ^ 1]) + data[1:]}}
    tamper(PoolKeyTable, {"key_id": {"S": picked.key_id}}, **changed)
    return picked.key_id


@requirement("I4", "C15", "I10")
@pytest.mark.parametrize("name", ["public_key", "wrapped_seed"])
def test_a_bit_that_flips_in_the_pool_key_meanwhile_loses_no_upload(
    api: Api, stock: Any, between: Any, name: str
) -> None:
    upload = registered(api, b"precious")
    flipped = between(lambda: flip(name))
    with pytest.RaisesGroup(KeyUnusable):
        handler(upload.event, None)
    assert not upload.is_gone
    deliver(upload.event)
    assert upload.is_safe
    assert record_of(upload.file_id).pool_key_id not in flipped


Damage = Callable[[PoolKey], PoolKey]


@pytest.fixture
def damage(monkeypatch: pytest.MonkeyPatch) -> Damage:
    """Give a pool key another's public half, authentic and passed by what checks that; it is picked next."""
    choose = keys.choose

    def do(key: PoolKey) -> PoolKey:
        row = PoolKeyTable.of(replace(key, public_key=kem.generate_key_pair(key.suite).public_key))
        save(row)
        found = row.record()
        monkeypatch.setattr(seeds, "check_halves", lambda _: None)
        monkeypatch.setattr(keys, "choose", lambda *named: choose(*named, but=found.key_id))
        keys._picked.clear()
        keys._picked.get(keys._pick_name(found.pool, found.suite), lambda: found)
        return found

    return do


@requirement("I4", "C15")
def test_an_upload_whose_envelope_does_not_open_again_is_sealed_to_another_key(
    api: Api, stock: Any, pool: list[PoolKey], damage: Damage
) -> None:
    upload = registered(api, b"precious", passphrase="a long passphrase")
    damaged = damage(pool[0])
    with pytest.RaisesGroup(pytest.RaisesExc(KeyUnusable, match=damaged.key_id)):
        handler(upload.event, None)
    assert not upload.is_gone
    handler(upload.event, None)
    _, plaintext = reading.read(upload.file_id, actor=TESTS, passphrase="a long passphrase")
    assert reading.whole(plaintext) == b"precious"
    assert record_of(upload.file_id).pool_key_id != damaged.key_id


@requirement("I4", "C15")
def test_no_plaintext_is_removed_for_what_was_sealed_to_another_public_key(
    api: Api, stock: Any, pool: list[PoolKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bit that flips in memory, between the pool key's row and the sealing."""
    upload = registered(api)
    wrong = kem.generate_key_pair(pool[0].suite).public_key
    with monkeypatch.context() as flipped:
        flipped.setattr(
            "apps.files.uploads.attempts.seal",
            lambda header, **named: envelope.seal(header, **named | {"pool_public_key": wrong}),
        )
        with pytest.RaisesGroup(pytest.RaisesExc(KeyUnusable, match="does not open")):
            handler(upload.event, None)
    assert not upload.is_gone
    deliver(upload.event)
    assert upload.is_safe


@requirement("I4", "C15")
def test_a_file_is_not_re_encrypted_to_a_key_that_does_not_open(
    api: Api, stock: Any, pool: list[PoolKey], damage: Damage
) -> None:
    file_id = encrypted(api, b"precious")["file_id"]
    before = record_of(file_id)
    damaged = damage(next(key for key in pool if key.key_id != before.pool_key_id))
    with pytest.raises(KeyUnusable, match=damaged.key_id):
        reencrypt.reencrypt(file_id, actor=TESTS)
    assert record_of(file_id) == before
    assert plaintext_of(file_id) == b"precious"


@requirement("I4", "C15")
def test_an_envelope_is_not_moved_to_a_key_that_does_not_open(
    api: Api, stock: Any, pool: list[PoolKey], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = record_of(encrypted(api, b"precious")["file_id"])
    source = keys.find(file.pool_key_id)
    target = next(key for key in pool if key.key_id != source.key_id)
    row = PoolKeyTable.of(
        replace(keys.find(target.key_id), public_key=kem.generate_key_pair(target.suite).public_key)
    )
    save(row)
    with pytest.raises(KeyUnusable, match=target.key_id):
        rewrap.rewrap_files([file], source=source, target=row.record(), actor=TESTS)
    assert plaintext_of(file.file_id) == b"precious"


@requirement("G6", "C15")
def test_opening_an_upload_again_costs_no_call_once_the_seed_is_known(
    api: Api, stock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted_unwraps(monkeypatch) as cold:
        handler(registered(api).event, None)
    assert [context["record"] for context in cold].count(
        "pool_key"
    ) == 2  # picked; and opened, to be kept a minute
    handler(
        registered(api).event, None
    )  # the first take of a session ends its time to live: it is read again
    with counted_unwraps(monkeypatch) as warm:
        handler(registered(api).event, None)
    assert warm == []
