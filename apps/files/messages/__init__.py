"""Messages: sealed alone or in batches, with an envelope each, and opened (C11, C14)."""

from apps.files.messages.batches import BATCH_MESSAGES, Sealed, decrypt_batch, encrypt_batch
from apps.files.messages.opening import UNIFORM, decrypt
from apps.files.messages.retries import seal_again, seal_batch_again
from apps.files.messages.rewrapping import rewrap
from apps.files.messages.sealing import (
    DATA_KEY_BYTES,
    encrypt,
    encrypt_compatible,
    make_data_key,
)

__all__ = [
    "BATCH_MESSAGES",
    "DATA_KEY_BYTES",
    "UNIFORM",
    "Sealed",
    "decrypt",
    "decrypt_batch",
    "encrypt",
    "encrypt_batch",
    "encrypt_compatible",
    "make_data_key",
    "rewrap",
    "seal_again",
    "seal_batch_again",
]
