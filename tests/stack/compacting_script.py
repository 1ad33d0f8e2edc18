"""The embedded AWS with an eighth of the journal that it otherwise has: what happens is the same, with an eighth of the bytes.

Run as a program in the embedded AWS's environment.
"""

from apps.stack.embedded import surroundings

surroundings.set_up()

from apps.stack.embedded import durability, server  # noqa: E402 - see above

durability.COMPACT_BYTES //= 8
server.main()
