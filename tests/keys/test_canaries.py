"""Another root key is noticed before anything is acknowledged under it."""

import base64
from collections import Counter

import pytest
from botocore.exceptions import ClientError

from apps.audit.services import entries_page
from apps.common import clock
from apps.common.root_keys import configured
from apps.common.root_keys.configured import root_key
from apps.common.root_keys.local import LocalRootKey
from apps.custody import rootkeys
from apps.files.records import Upload
from apps.files.uploads import passphrases
from apps.keys import canaries, store
from apps.keys import services as keys
from apps.keys.canaries import OtherRootKey
from apps.keys.records import KeyState
from apps.sessions import services as sessions
from apps.sessions import stock as supply
from tests import requirement
from tests.conftest import TESTS
from tests.faults import counted
from tests.tables import TRAIL, everything


@pytest.fixture
def own_root(aws, settings, tmp_path):
    """A root key of this test, in use."""
    settings.ROOT_KEY = f"local:{tmp_path / 'root.key'}"
    starts_again()
    keys.create(1, actor=TESTS)
    yield tmp_path / "root.key"
    starts_again()


def starts_again():
    configured.root_key.cache_clear()
    canaries.forget()


def put_another_in_place(path):
    path.unlink()
    LocalRootKey(path)


@requirement("C2", "I4")
@pytest.mark.parametrize("running", [False, True], ids=["started again", "while it runs"])
def test_nothing_is_kept_under_another_root_key(own_root, running):
    put_another_in_place(own_root)
    if not running:
        starts_again()
    links = {"LinkTable", "LinkChangeTable"}  # the link of a session is made before its key
    before = everything(but=TRAIL | links)
    for wrapping in (
        lambda: keys.create(1, actor=TESTS),
        lambda: sessions.generate(sessions.GenerateRequest(key_length=1024), actor=TESTS),
        lambda: passphrases.with_passphrase(_upload(), "correct horse battery staple"),
    ):
        with pytest.raises(OtherRootKey, match="does not open what the platform has wrapped"):
            wrapping()
    assert everything(but=TRAIL | links) == before


def _upload():
    return Upload(
        file_id="announced",
        name="a",
        document_type="other",
        owner="service:someone",
        uploaded_at=clock.now(),
    )


@requirement("C2", "E5")
def test_a_start_with_another_root_key_says_which_is_missing(own_root):
    first = root_key().id
    put_another_in_place(own_root)
    starts_again()
    with pytest.raises(OtherRootKey, match=first):
        canaries.ensure()


@requirement("C2")
def test_the_canary_costs_one_read_a_process(own_root):
    starts_again()
    with counted() as first:
        keys.create(1, actor=TESTS)
    with counted() as second:
        keys.create(1, actor=TESTS)
    assert Counter(first) - Counter(second) == Counter(Query=1)


@requirement("C2")
def test_without_a_canary_the_ids_in_the_tables_are_compared(own_root):
    """As where the row of the canary was removed: it must not make another root key the right one."""
    store.CanaryTable(store.LISTED, root_key().id).delete()
    starts_again()
    canaries.ensure()  # the right one
    store.CanaryTable(store.LISTED, root_key().id).delete()
    put_another_in_place(own_root)
    starts_again()
    with pytest.raises(OtherRootKey):
        canaries.ensure()


@requirement("C2", "C12")
def test_root_keys_are_replaced_and_retired_as_ever(own_root, later):
    rootkeys.rotate(actor=TESTS)
    assert {c.root_key_id for c in store.canaries()} == {root_key().id, *root_key().old_ids}
    later(seconds=120)
    rootkeys.retire(actor=TESTS)
    starts_again()
    assert canaries.open_all()
    events = {str(entry.event) for entry in entries_page(limit=50).records}
    assert {"canary.wrapped", "canary.removed"} <= events


@requirement("C12")
def test_a_lost_root_key_is_given_up_only_when_told(own_root):
    put_another_in_place(own_root)
    starts_again()
    with pytest.raises(OtherRootKey):
        canaries.ensure()
    canaries.accept(actor=TESTS)
    assert [c.root_key_id for c in store.canaries()] == [root_key().id]
    keys.create(1, actor=TESTS)
    assert "canary.root_key_lost" in {str(entry.event) for entry in entries_page(limit=50).records}


@requirement("C2", "I1")
def test_a_canary_that_cannot_be_written_lets_nothing_out(own_root, monkeypatch):
    store.CanaryTable(store.LISTED, root_key().id).delete()
    starts_again()

    def refuse(*_, **__):
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "TransactWriteItems")

    monkeypatch.setattr(canaries, "_wrap", refuse)
    with pytest.raises(ClientError):
        keys.create(1, actor=TESTS)
    assert len(keys.keys_page(limit=10).records) == 1


@requirement("C2", "C5")
def test_a_session_that_does_not_unwrap_leaves_the_stock_with_an_alarm(stock, caplog):
    from apps.sessions import offering
    from apps.sessions.records import StockEmpty
    from apps.sessions.store import FinalKeyTable
    from tests.tables import save

    row = FinalKeyTable.get(stock.session_id)
    blob = bytearray(base64.b64decode(row.encrypted_final_key))
    blob[-1] ^= 1
    row.encrypted_final_key = base64.b64encode(bytes(blob)).decode()
    save(row)
    assert supply.stock().total > 0
    with pytest.raises(StockEmpty):
        offering.offer()
    assert supply.stock().total == 0  # so a refill runs
    assert stock.session_id in caplog.text
    entries = [e for e in entries_page(limit=50).records if str(e.event) == "stock.withdrawn"]
    assert [e.session_id for e in entries] == [stock.session_id]
    assert keys.keys_page(limit=10).records[0].state is KeyState.ACTIVE


@requirement("C2", "C5")
def test_another_root_key_empties_no_stock(stock, settings, tmp_path):
    from apps.sessions import finals, offering

    settings.ROOT_KEY = f"local:{tmp_path / 'root.key'}"
    starts_again()
    finals._kept.clear()
    before = supply.stock().total
    with pytest.raises(OtherRootKey):
        offering.offer()
    assert supply.stock().total == before
    starts_again()
