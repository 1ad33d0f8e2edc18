"""Alice and Bob after the quantum phase: two objects that share nothing but the classical channel.

Bob asks and Alice answers (``qkd.classical``); what each holds of the other's bits came over that channel. They may
share a process or be two processes at the ends of a socket. Both work out every public decision by themselves from
their own counts, so that neither has to believe the other.
"""

from qkd.parties.alice import Alice
from qkd.parties.bob import Bob, BobState
from qkd.parties.common import Secrets

__all__ = ["Alice", "Bob", "BobState", "Secrets"]
