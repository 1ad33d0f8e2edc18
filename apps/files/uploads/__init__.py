"""Uploads, from the announcement to the encrypted file."""
