"""Rounds of Cascade where Alice is in the same process, compiled: no message is made, what they would hold is counted.

Frames ask nothing about each other, so that a few at a time go through all their rounds, which keeps them in the
processor's cache. On a link all frames of a batch ask in one message: its round trips are those of the slowest.
"""

import numba
import numpy as np

from qkd.cascade.layout import PASSES
from qkd.cascade.numba_forest import FRAME, advance

_AT_ONCE = 1 << 16  # bits whose nodes and orders the cache holds


@numba.njit(cache=True, nogil=True)
def settle(alice, bits, flags, orders, front, best, states):  # type: ignore[no-untyped-def] # compiled
    """Correct until no known block is odd, given the parities of Alice's nodes, which are laid out as the flags are.

    Returns:
        Round trips that a batch would take, and blocks asked for; (-1, 0) if the answers contradict each other.
    """
    state = states[0]
    waiting, first, trips, blocks = state.front, 0, 0, 0
    step = max(1, _AT_ONCE // state.length)
    capacity = 0
    for index in range(PASSES):
        capacity += state.width[index] * min(step, len(best))
    own = np.empty((4, capacity), np.int32)
    questions = np.empty(capacity, np.int64)
    answers = np.empty(capacity, np.uint8)
    while first < waiting:
        group = front[FRAME, first] // step
        stop = first
        while stop < waiting and front[FRAME, stop] // step == group:
            stop += 1
        own[:, : stop - first] = front[:, first:stop]
        state.front, state.asked, rounds, asked = stop - first, 0, 0, 0
        while True:
            asked = advance(answers[:asked], bits, flags, orders, own, questions, best, states)
            if asked <= 0:
                break
            for i in range(asked):
                answers[i] = alice[questions[i] >> 32]
            rounds += 1
            blocks += asked
        if asked < 0:
            return -1, 0
        trips = max(trips, rounds)
        first = stop
    return trips, blocks
