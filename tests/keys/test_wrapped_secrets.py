"""Secrets at rest: seeds and final keys are kept, opened and re-wrapped alike (C10, C12, I2)."""

from dataclasses import replace

import pytest

from apps.audit.services import Conflict
from apps.common.errors import Refused
from apps.common.root_keys.configured import root_key
from apps.keys import seeds, wrapped_secrets
from apps.keys import services as keys
from apps.keys.records import KeyUnusable
from apps.keys.trail import SecretEvent
from apps.sessions import finals
from apps.sessions.records import SessionUnusable
from tests import requirement
from tests.conftest import TESTS
from tests.finals import final_key


@pytest.fixture(params=["seed", "final key"])
def secret(request, stock, pool):
    """The wrapped secret of a pool key or a session."""
    if request.param == "seed":
        return seeds.secret_of(pool[0])
    return finals.secret_of(final_key(stock.session_id))


def stored_again(secret):
    if secret.kind is seeds.KIND:
        return seeds.secret_of(keys.find(secret.identifier))
    return finals.secret_of(final_key(secret.identifier))


@requirement("C10")
def test_a_secret_is_rewrapped_in_its_place_and_opens_as_before(secret):
    before = wrapped_secrets.unwrap(secret)
    wrapped_secrets.rewrap(secret, before, event=SecretEvent.REWRAPPED, actor=TESTS)
    after = stored_again(secret)
    assert after.wrapping.stored != secret.wrapping.stored
    assert wrapped_secrets.unwrap(after) == before
    assert list(wrapped_secrets.ids_under(secret.kind, root_key().id)).count(secret.identifier) == 1


@requirement("C10", "I4")
def test_a_secret_that_was_rewrapped_meanwhile_is_left_alone(secret):
    plain = wrapped_secrets.unwrap(secret)
    wrapped_secrets.rewrap(secret, plain, event=SecretEvent.REWRAPPED, actor=TESTS)
    after = stored_again(secret)
    with pytest.raises(Conflict):
        wrapped_secrets.rewrap(secret, plain, event=SecretEvent.REWRAPPED, actor=TESTS)
    assert stored_again(secret).wrapping == after.wrapping


@requirement("C12")
def test_nothing_is_sealed_without_a_recovery_key(secret):
    with pytest.raises(Refused, match="RECOVERY_PUBLIC_KEY is empty"):
        wrapped_secrets.seal_for_recovery(secret, actor=TESTS)


@requirement("C3", "C10")
@pytest.mark.parametrize("stored", ["abc", "no base64", "", "QUJD"])
def test_a_final_key_whose_text_was_damaged_is_refused(stock, stored):
    damaged = replace(final_key(stock.session_id), encrypted_final_key=stored)
    with pytest.raises(SessionUnusable, match="does not unwrap"):
        finals.unwrap(damaged)


@requirement("I2")
def test_no_secret_is_shown(secret):
    assert str(secret.wrapping.stored)[:20] not in repr(secret)


@requirement("C10")
def test_a_destroyed_key_has_no_secret(pool):
    with pytest.raises(KeyUnusable, match="is destroyed"):
        seeds.secret_of(replace(pool[0], wrapped_seed=None))
