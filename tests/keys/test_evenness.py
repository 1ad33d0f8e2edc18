"""The pool stays even under many hands, and no key is hot (C5)."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat

from apps.audit.services import transaction
from apps.files.trail import MessageEvent
from apps.keys import services, slots
from tests import requirement
from tests.conftest import TESTS
from tests.tables import every


def picked_and_used(_=None):
    key = services.choose()  # as another process, or another minute, picks
    with transaction(TESTS) as tx:
        services.count_use(tx, key)
        tx.audit(MessageEvent.ENCRYPTED, key_id=key.key_id)
    return key.key_id


def uses_after(picks, *, keys, threads):
    services.create(keys, actor=TESTS)
    with ThreadPoolExecutor(threads) as pool:
        picked = Counter(pool.map(picked_and_used, repeat(None, picks)))
    assert slots.write_down(actor=TESTS)
    uses = {key.key_id: int(key.usage) for key in every(services.keys_page)}
    assert uses == {key_id: picked[key_id] for key_id in uses}, "every pick is counted, once"
    return sorted(uses.values())


@requirement("C5")
def test_the_pool_stays_even_under_many_threads(aws):
    uses = uses_after(120, keys=8, threads=10)
    assert sum(uses) == 120
    # 15 each, with a standard deviation of 3.6: at random among all, as uses are counted every few minutes
    assert uses[-1] - uses[0] <= 27, uses


@requirement("C5")
def test_concurrent_picks_do_not_meet_on_one_key(aws):
    services.create(20, actor=TESTS)
    gate = threading.Barrier(10)

    def pick(_):
        gate.wait()
        return services.choose().key_id

    with ThreadPoolExecutor(10) as pool:
        picked = Counter(pool.map(pick, range(10)))
    assert picked.most_common(1)[0][1] <= 8, picked  # nine on one key by chance: 1 in 10 ** 7
