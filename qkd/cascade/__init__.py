"""Cascade, "option 8", as two parties: Alice answers for parities, Bob finds and corrects his errors.

Martinez-Mateo, Pacher, Peev, Ciurana, Martin, *Demystifying the Information Reconciliation Protocol Cascade*,
Quantum Information & Computation 15 (2015): block sizes near 2^a, 2^((a+12)/2), 2^12 with
a = log2(1/Q) - 1/2 in passes 1 to 3 (see ``block_levels``), then random halves of the frame in passes 4 to 14; every
parity ever learned, those of sub-blocks too, is reused. The random halves are opened together: that saves ten round
trips. The last block of passes 2 and 3 is not disclosed: it follows from the others and from the first pass.

A batch is a number of frames of one length that are corrected at once, with one schedule. The blocks of a pass are
the nodes of binary trees over its order of the bits, one tree after the other; a node is named by its place in one
flat array (``Layout``), so a question is a list of integers. Frames are padded with zeros that both know.

What Bob knows of a pass is an upper part of its trees; where such a part ends in an odd node, an error is below it.
These nodes are the *front*. Each round trip asks for one half of nodes of the front, all frames at once; an error
that is reached is corrected at once, which toggles one end in every pass. ``Batch.together`` says which nodes are
asked for: in each frame those of the pass that has the smallest, or all, which takes the fewest round trips.
"""

from qkd.cascade.layout import Batch, Layout, Schedule, block_levels, subset_count
from qkd.cascade.memory import Memory
from qkd.cascade.parties import Alice, Answers, Bob, Forest

__all__ = [
    "Alice",
    "Answers",
    "Batch",
    "Bob",
    "Forest",
    "Layout",
    "Memory",
    "Schedule",
    "block_levels",
    "subset_count",
]
