"""What the trail records about pool keys, their pool and their rotations."""

from apps.audit.records import Event


class PoolKeyEvent(Event):
    """Entries about one pool key; those of its states are named after the state."""

    CREATED = "pool_key.created", "A pool key was made."
    IMPORTED = "pool_key.imported", "A pool key came from outside."
    ACTIVATED = "pool_key.activated", "A pool key may now encrypt."
    SUSPENDED = "pool_key.suspended", "A pool key may neither encrypt nor decrypt until it is resumed."
    RESUMED = "pool_key.resumed", "A suspended pool key may be used again."
    ROTATION_QUEUED = (
        "pool_key.rotation_queued",
        "A pool key encrypts nothing more; its files wait for another key.",
    )
    EXPIRED = "pool_key.expired", "No file is under a rotated pool key any more."
    REVOKED = "pool_key.revoked", "A pool key may be compromised and is out of use for good."
    EXPORTED = "pool_key.exported", "A pool key left the platform, wrapped for its recipient."
    DESTRUCTION_SCHEDULED = (
        "pool_key.destruction_scheduled",
        "The destruction of a pool key was approved and has a date.",
    )
    DESTRUCTION_CANCELLED = (
        "pool_key.destruction_cancelled",
        "The destruction of a pool key was cancelled before its date.",
    )
    SLOTS_CLOSED = (
        "pool_key.slots_closed",
        "Processes that sealed to a pool key were cut off, as it left use.",
    )
    USES_COUNTED = "pool_key.uses_counted", "The uses of active pool keys were written into their records."
    DESTROYED = "pool_key.destroyed", "The secret of a pool key was erased."


class PoolEvent(Event):
    """Entries about a pool."""

    MADE = "pool.made", "A key pool was made."
    CHANGED = "pool.changed", "Something of a key pool was changed."
    ALIAS_POINTED = "pool.alias_pointed", "A name was pointed to a key pool."
    MINIMUM_RAISED = "pool.minimum_raised", "Keys of a pool below a version may encrypt nothing more."
    MINIMUM_LOWERED = (
        "pool.minimum_lowered",
        "Keys of a pool from a version on may open again what they sealed.",
    )


class RotationEvent(Event):
    """Entries about the files of a key that goes out of use."""

    STARTED = "rotation.started", "The files of a pool key have to move to another key."
    TARGETED = "rotation.targeted", "The successor of a pool key was chosen."
    DONE = "rotation.done", "No file is under the old pool key any more."


class CanaryEvent(Event):
    """Entries about the texts by which another root key is noticed."""

    WRAPPED = "canary.wrapped", "A root key came into use, and is known from now on."
    REMOVED = "canary.removed", "A root key under which nothing is wrapped any more is known no longer."
    ROOT_KEY_LOST = "canary.root_key_lost", "A root key was given up as lost, and another took its place."


class SecretEvent(Event):
    """Entries about wrapped secrets of any record."""

    SEALED = "secret.sealed", "A secret was sealed to the recovery key as well."
    REWRAPPED = "secret.rewrapped", "A secret was re-wrapped under another root key."
    RECOVERED = "secret.recovered", "A secret was brought back with the recovery key."
