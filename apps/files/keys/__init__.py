"""Files under other keys: re-wrapped (the envelope alone) or re-encrypted (the body as well)."""
