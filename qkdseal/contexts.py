r"""Contexts as pairs of name and value, in one canonical form, so that every program binds the same bytes.

    {"tenant": "acme", "purpose": "invoice"}  ->  {"purpose":"invoice","tenant":"acme"}

The form is compact JSON in ASCII: names sorted by code point, nothing between the tokens, everything outside ASCII
escaped as ``\uXXXX`` in small letters (a pair of them beyond the first plane). Nothing is normalised: what looks alike
and is written otherwise is another context.
"""

from collections.abc import Mapping

from qkdseal.encoding import to_json

CONTEXT_LIMIT = 4096  # bytes of a context, however it is given
PAIRS_LIMIT = 64


def canonical_context(pairs: Mapping[str, str]) -> str:
    r"""The canonical form of pairs, whose UTF-8 (here ASCII) is what a package binds.

    >>> canonical_context({"tenant": "acme", "name": "Grüße"})
    '{"name":"Gr\\u00fc\\u00dfe","tenant":"acme"}'
    >>> canonical_context({})
    Traceback (most recent call last):
    ValueError: A context of pairs has 1 to 64 of them; leave it out to bind nothing.

    Raises:
        ValueError: no pair or too many, one that is no text, or more than 4,096 bytes together.
    """
    if not 1 <= len(pairs) <= PAIRS_LIMIT:
        raise ValueError(f"A context of pairs has 1 to {PAIRS_LIMIT} of them; leave it out to bind nothing.")
    if not all(isinstance(part, str) for pair in pairs.items() for part in pair):
        raise ValueError("Names and values of a context are texts.")
    if "" in pairs:
        raise ValueError("A name of a context is not empty.")
    text = to_json(pairs)
    if len(text) > CONTEXT_LIMIT:
        raise ValueError(
            f"A context has at most {CONTEXT_LIMIT} bytes in its canonical form; this one has {len(text)}."
        )
    return text
