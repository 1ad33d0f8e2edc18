"""Bob's search for his errors, compiled by numba: where he is told parities, what he asks next, what he corrects.

A node of the layout is one byte of flags. All of it is in one file, as numba's cache does not see changes in another.
"""

import numba
import numpy as np

from qkd.cascade.layout import PASSES

# Difference of Alice's and Bob's parities at known nodes whose halves are not, Bob's parity at unknown nodes; parity
# known; in the front.
ODD, KNOWN, LISTED = 1, 2, 4

# Entries of the front: pass, level, node, and its frame, since a division costs more than the rest of a look.
PASS, LEVEL, NODE, FRAME = 0, 1, 2, 3

# The batch's shape and the state of the search in one record, since every argument of a compiled call costs time.
STATE = np.dtype(
    [
        ("length", np.int64),  # bits per frame
        ("passes", np.int64),  # opened
        ("front", np.int64),  # entries
        ("asked", np.int64),  # questions waiting for answers
        ("together", np.int64),  # ask for all passes at once
        ("width", np.int64, (PASSES,)),
        ("start", np.int64, (PASSES, 32)),
    ]
)

_AT_ONCE = 1 << 16  # bits whose nodes and orders the cache holds


@numba.njit(cache=True, nogil=True)
def flip(bit, bits, flags, orders, front, state):  # type: ignore[no-untyped-def] # compiled
    """Correct a bit, and toggle in each pass the nodes above it up to the lowest that is known."""
    if bits[0, bit] != bits[1, bit]:
        return False
    bits[0, bit] ^= 1
    frame = bit // state.length
    within = bit - frame * state.length
    for index in range(state.passes):
        node = frame * state.width[index] + orders[1, index, within]
        level = 0
        at = state.start[index, 0] + node
        flags[at] ^= ODD
        while not flags[at] & KNOWN:
            node >>= 1
            level += 1
            at = state.start[index, level] + node
            flags[at] ^= ODD
        if flags[at] & (ODD | LISTED) == ODD:
            flags[at] |= LISTED
            entry = state.front
            front[PASS, entry], front[LEVEL, entry] = index, level
            front[NODE, entry], front[FRAME, entry] = node, frame
            state.front += 1
    return True


@numba.njit(cache=True, nogil=True)
def _learn(answers, flags, front, questions, state):  # type: ignore[no-untyped-def] # compiled
    """Take the answers to the last questions: each node asked about gives way to its odd half."""
    for i in range(state.asked):
        at, entry = questions[i] >> 32, questions[i] & 0xFFFFFFFF
        odd = (flags[at] ^ answers[i]) & ODD
        flags[at] = odd | KNOWN
        flags[at + 1] = (1 - odd) | KNOWN
        flags[at + 1 - odd] |= LISTED
        front[LEVEL, entry] -= 1
        front[NODE, entry] = 2 * front[NODE, entry] + 1 - odd
    state.asked = 0


@numba.njit(cache=True, nogil=True)
def _move_freely(bits, flags, orders, front, questions, state):  # type: ignore[no-untyped-def] # compiled
    """Do all that needs no question: drop what became even, descend where one half is padding, correct bits."""
    while True:
        kept = wrong = 0
        for entry in range(state.front):
            index, level, node = front[PASS, entry], front[LEVEL, entry], np.int64(front[NODE, entry])
            at = state.start[index, level] + node
            if not flags[at] & ODD:
                flags[at] &= ~np.uint8(LISTED)
                continue
            while level > 0 and state.width[index] != state.length:
                left = 2 * node
                if (left % (state.width[index] >> (level - 1)) + 1) << (level - 1) < state.length:
                    break
                level -= 1
                node = left
                at = state.start[index, level] + node
                flags[at], flags[at + 1] = ODD | KNOWN | LISTED, KNOWN
            if level == 0:
                flags[at] &= ~np.uint8(LISTED)
                frame = np.int64(front[FRAME, entry])
                bit = frame * state.length + orders[0, index, node - frame * state.width[index]]
                questions[wrong] = at << 32 | bit
                wrong += 1
                continue
            front[PASS, kept], front[LEVEL, kept] = index, level
            front[NODE, kept], front[FRAME, kept] = node, front[FRAME, entry]
            kept += 1
        state.front = kept
        if not wrong:
            return True
        for i in range(wrong):
            # Found in two passes at once, it is corrected by now.
            if flags[questions[i] >> 32] & ODD and not flip(
                questions[i] & 0xFFFFFFFF, bits, flags, orders, front, state
            ):
                return False


@numba.njit(cache=True, nogil=True)
def _sort(questions, count):  # type: ignore[no-untyped-def] # compiled
    # As long as a pass goes down for the first time its questions are in order already.
    for i in range(1, count):
        if questions[i] < questions[i - 1]:
            questions[:count].sort()
            return


@numba.njit(cache=True, nogil=True)
def advance(answers, bits, flags, orders, front, questions, best, states):  # type: ignore[no-untyped-def] # compiled
    """Take the answers to the last questions and go on.

    Returns:
        The number of new questions, 0 at the end, -1 if the answers contradict each other.
    """
    state = states[0]
    _learn(answers, flags, front, questions, state)
    if not _move_freely(bits, flags, orders, front, questions, state):
        return -1
    if not state.together:
        best[:] = 1 << 30
        for entry in range(state.front):
            frame = front[FRAME, entry]
            best[frame] = min(best[frame], front[LEVEL, entry] << 2 | front[PASS, entry])
    asked = 0
    for entry in range(state.front):
        index = front[PASS, entry]
        if state.together or best[front[FRAME, entry]] & 3 == index:
            below = state.start[index, front[LEVEL, entry] - 1] + 2 * np.int64(front[NODE, entry])
            questions[asked] = below << 32 | entry
            asked += 1
    _sort(questions, asked)
    state.asked = asked
    return asked


@numba.njit(cache=True, nogil=True)
def settle_beside(alice, bits, flags, orders, front, best, states):  # type: ignore[no-untyped-def] # compiled
    """Correct until no known block is odd, given the parities of Alice's nodes, which are laid out as the flags are.

    No message is made, what they would hold is counted. Frames ask nothing about each other, so that a few at a time go
    through all their rounds, which keeps them in the processor's cache. On a link all frames of a batch ask in one
    message: its round trips are those of the slowest.

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
