"""Documents, their versions, uploads and orphaned bodies.

The app's own floor holds `records`, `store`, `services` (what owners do with documents), `opening` (the key of a
body) and `messages`. Its rooms stand on it in layers; none imports from a layer above it, nor from its neighbour:

    api        views and serializers
    life       archive, versions, shredding, orphans, sweeping  |  keys      re-wrap, re-encrypt
    uploads    announcements, parts, the attempt, the pipeline, client-side  |  reading   content, ranges, downloads
    bodies     objects in S3: streamed, written, copied, and noted as orphans
    (floor)    services, opening  →  store  →  records
"""
