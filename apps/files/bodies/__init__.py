"""Bodies in S3: read, written and copied as streams, told by their first bytes, noted when nobody needs them."""
