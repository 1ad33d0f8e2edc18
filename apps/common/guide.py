"""What somebody has to know who has never seen the API: shown on top of its page, and as docs/api.md."""

GUIDE = """\
Quantum keys (BB84) joined with ML-KEM-768 to encrypt files, messages and data keys.

## Start here

1. Ask an administrator for an API key, or get an access token of your organisation's pool.
2. `GET /api/v1/whoami` says who you are, what you may do and how often.
3. `POST /api/v1/encrypt` with `{"plaintext": "hello"}` answers a package. Keep all of it: the platform does not.
4. `POST /api/v1/decrypt` with `{"package": …}` gives the message back.
5. Files: `POST /api/v1/files` announces one and answers where to send its bytes. Encryption starts when they arrive.
6. Much to encrypt locally: `POST /api/v1/data-keys` answers a fresh key and the package to keep in its place.

## Authentication

Send `X-API-Key: <key>`, or `Authorization: Bearer <access token>`. Each operation names the scope that it needs. A key may
be limited to fewer scopes than its owner has; `GET /whoami` (`access:self`) is open to every key, however limited. What is
another's looks as if it did not exist (404). A revoked key is refused everywhere within 30 seconds.

## Errors

Every error is `application/problem+json` (RFC 9457): `type` is the address of a page that explains the kind; its
last part never changes and is the same in every installation, so compare that. `title` and `detail` say what happened and
what to change, `errors` names each field. `/api/problems` lists all kinds. Every answer has an `X-Request-Id`: give it to
the operator when you ask. The platform chooses it, whatever the request says; an id of your own goes into `traceparent`
(W3C Trace Context), which the trail names beside it.

## Limits

Requests are counted by principal and scope, in a second and in a minute. `RateLimit-Policy` and `RateLimit` say how many
and how many are left; 429 says in `Retry-After` when to come back. A body has at most 2 MiB, of a batch 5 MiB; files go
to S3 directly. `GET /whoami` lists your limits.

How much may be used in a calendar month (UTC) is a quota: of quantum keys (one for a file, a message, a data key or a
batch), files, their bytes, and jobs. `GET /usage` says what is used and allowed, seconds to a minute late; from 80 % on,
`near` is true, and the operators are told. What uses a quota says in `RateLimit` how much is left; what would use more is refused with 403 and
`quota-used-up`, with `quota`, `used`, `allowed` and `resets_at`.

## Paging

A list answers `items`, newest first, and `next`. Send `next` as `cursor` for the page after it, until it is null. A cursor
is good for the list, filters and caller that it was given to.

## Once, and only as it was read

Give a `POST` that creates something an `Idempotency-Key` of your choice. Sent again with the same body within 24 hours,
it is answered again (`Idempotency-Replayed: true`) and nothing is done twice. A record's answer has an `ETag`: send it
as `If-None-Match` to be answered 304 where nothing changed, or as `If-Match` with a change, which then happens only if
the record is still as you read it (412 otherwise). Times are ISO 8601 in UTC.

## Long work

What takes longer than a request may is answered 202 with a job; `GET /jobs/{job_id}` says how far it is.

Instead of asking again and again, send `Prefer: wait=20` (RFC 7240) where an operation names that header: it answers once
the session is judged, the file encrypted or the job done, or with what there is after so many seconds: 25 at most, and 8 on AWS unless set otherwise.
`Prefer: respond-async` has `POST /qkd/generate` start a job in any case. `Preference-Applied` says what was followed: few
requests wait at a time, and 60 a minute of a principal; the others are answered at once, so look at the state in the answer.

## Versions and deprecation

Addresses begin with `/api/v1`. Within it fields, operations and values of enumerations are added, so ignore what you do not
know; nothing is removed or changes its meaning. What is to go is marked `deprecated` here and answered with the headers
`Deprecation` and `Sunset` for at least twelve months before; a change that breaks clients comes as `/api/v2`, beside v1.
CHANGELOG.md lists what changed.
"""

TAGS = {
    "messages": "Messages and data keys: encrypted, decrypted, moved to another key. Packages stay with the caller.",
    "files": "Documents, their versions and uploads; bytes go to and come from S3.",
    "sessions": "BB84 sessions, the quantum keys cut from them, and the stock.",
    "links": "Links between sites: where quantum keys come from, and whether they may be used now.",
    "kme": "Applications that keys are delivered to by ETSI GS QKD 014 (SAEs).",
    "detections": "Verdicts on sessions: was somebody listening?",
    "alerts": "What somebody has to know.",
    "cases": "What was found, and how people handle it.",
    "keys": "Named keys (pools), their key pairs, and how these live and end.",
    "custody": "What needs a second person, rotations, re-encryption and recovery.",
    "access": "Principals, API keys and grants; who am I?",
    "jobs": "Long work: how far it is, and its cancellation.",
    "notices": "Webhooks: addresses that are told what happened.",
    "reports": "What was done in a period, kept as files.",
    "audit": "Who did what to which key, when, from where.",
    "health": "Is the platform up?",
}
