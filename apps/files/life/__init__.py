"""The life of a document after its upload: versions, archive, shredding; and what interrupted work left behind."""
