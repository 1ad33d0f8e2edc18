"""A passphrase between the announcement of a file and its encryption, which happens later and elsewhere.

Kept is the stretched passphrase, wrapped under the root key for this record, until the file is encrypted; until then
its plaintext waits in the uploads bucket anyway. Afterwards only the factor (salt and rounds) stays, in the header.
"""

import base64
from dataclasses import replace
from hmac import compare_digest

from apps.common.errors import Invalid
from apps.common.root_keys.configured import root_key
from apps.files.records import Upload
from apps.keys import canaries
from qkdseal.header import PassphraseFactor


def with_passphrase(upload: Upload, passphrase: str | None) -> Upload:
    """The announced file, to be encrypted with this passphrase as a factor.

    Raises:
        Invalid: the passphrase is impossible.
    """
    if passphrase is None:
        return upload
    factor = PassphraseFactor()
    try:
        stretched = factor.stretch(passphrase)
    except ValueError as error:
        raise Invalid.of("passphrase", str(error)) from None
    root = root_key()
    wrapped = root.wrap(stretched, context=_context(upload))
    canaries.require(root)
    kept = {"salt": _text(factor.salt), "iterations": factor.iterations, "wrapped": _text(wrapped)}
    return replace(upload, passphrase=kept)


def is_same(upload: Upload, passphrase: str | None) -> bool:
    """Return whether an announced file waits with this passphrase; True where nothing tells any more."""
    factor, stretched = factor_of(upload)
    if factor is None or stretched is None or passphrase is None:
        return True  # whether there is one at all, the announcement's digest says
    return compare_digest(factor.stretch(passphrase), stretched)


def factor_of(upload: Upload) -> tuple[PassphraseFactor | None, bytes | None]:
    """The factor and the stretched passphrase that an announced file waits with; nothing if it has none."""
    kept = upload.passphrase
    if not kept:
        return None, None
    factor = PassphraseFactor(base64.b64decode(kept["salt"]), kept["iterations"])
    return factor, root_key().unwrap(base64.b64decode(kept["wrapped"]), context=_context(upload))


def _context(upload: Upload) -> dict[str, str]:
    return {"record": "file passphrase", "id": upload.file_id}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
