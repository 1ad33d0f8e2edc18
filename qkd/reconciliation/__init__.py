"""Information reconciliation: Bob's bits become Alice's, every disclosed parity counted, the result verified.

The bits are cut into frames of one length, which are corrected in batches (``qkd.cascade``) and verified one by
one: a frame in which errors remain is found and can be discarded without the others.
"""

from qkd.reconciliation.alice import AliceReconciliation
from qkd.reconciliation.bob import (
    DEFAULT_EPSILON_COR,
    KERNELS,
    ReconciliationResult,
    kernel_name,
    reconcile_as_bob,
)
from qkd.reconciliation.frames import DEFAULT_FRAME_BITS, MAX_FRAME_BITS, Frames
from qkd.reconciliation.local import cores, reconcile

FAMILY = "cascade-option8"
"""Name of the protocol, for records."""

__all__ = [
    "DEFAULT_EPSILON_COR",
    "DEFAULT_FRAME_BITS",
    "FAMILY",
    "KERNELS",
    "MAX_FRAME_BITS",
    "AliceReconciliation",
    "Frames",
    "ReconciliationResult",
    "cores",
    "kernel_name",
    "reconcile",
    "reconcile_as_bob",
]
