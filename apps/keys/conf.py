"""Settings of the pools of key pairs."""

from apps.common.environment import Section

section = Section("Pool keys")

POOL_TARGET = section.integer(
    "POOL_TARGET",
    100,
    low=1,
    about="Active keys that a refill brings a pool to, where the pool says no other number.",
)
POOL_LOW_WATER = section.integer(
    "POOL_LOW_WATER",
    80,
    about="Active keys below which a pool is refilled, and below which none is taken away unconfirmed.",
)
POOL_ROTATION_DAYS = section.integer(
    "POOL_ROTATION_DAYS", 30, low=1, about="Days after which a pool key is rotated."
)
POOL_MAX_USES = section.integer(
    "POOL_MAX_USES",
    100_000,
    low=1,
    about="Encryptions after which a pool key is rotated: what one leaked key can cost.",
)
DESTRUCTION_WINDOW_DAYS = section.integer(
    "DESTRUCTION_WINDOW_DAYS",
    30,
    low=7,
    high=30,
    about="Days between the approval of a key's destruction and the destruction, in which it can be cancelled.",
)
RECOVERY_PUBLIC_KEY = section.text(
    "RECOVERY_PUBLIC_KEY", "", about="The public key of `manage.py recovery make`; empty: no recovery."
)
