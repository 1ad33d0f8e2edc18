"""Settings of the key management entity (ETSI GS QKD 014)."""

from django.core.exceptions import ImproperlyConfigured

from apps.common.environment import Section

section = Section("Key delivery (ETSI GS QKD 014)")

KME_ID = section.text(
    "KME_ID", "qkd-{stage}", about="The id of this key management entity, as it tells applications."
)
KME_DOMAIN = section.text(
    "KME_DOMAIN",
    "",
    about="The domain with mutual TLS, and nothing else, by which API Gateway serves key delivery; empty: it serves none.",
)
KME_CLIENTS = section.document(
    "KME_CLIENTS",
    about="As whom the platform draws keys from other key management entities: by name, the paths of certificate, key and authority (PEM).",
)
LINK_SECRETS = section.document(
    "LINK_SECRETS",
    about="Of each link to another site, the path of a file with the secret that both share (32 bytes or more): it "
    "authenticates what the two ends of a session tell each other.",
)
KME_KEY_BITS = section.integer(
    "KME_KEY_BITS",
    256,
    low=64,
    high=4096,
    about="Bits of a key that is delivered where no size is asked for.",
)
KME_MIN_KEY_BITS = section.integer(
    "KME_MIN_KEY_BITS", 64, low=8, high=4096, about="Bits of the shortest key that is delivered."
)
KME_MAX_KEY_BITS = section.integer(
    "KME_MAX_KEY_BITS", 512, low=64, high=4096, about="Bits of the longest key that is delivered."
)
KME_MAX_KEYS_PER_REQUEST = section.integer(
    "KME_MAX_KEYS_PER_REQUEST", 16, low=1, high=32, about="Keys that one request is given at most."
)
KME_MAX_SAE_IDS = section.integer(
    "KME_MAX_SAE_IDS",
    8,
    low=0,
    high=32,
    about="Further applications that a key can be delivered to, beside the one that the address names.",
)
KME_MAX_KEY_COUNT = section.integer(
    "KME_MAX_KEY_COUNT",
    100_000,
    low=1,
    about="Keys that are told to be stored for a pair of applications, at most.",
)
KME_WAIT_SECONDS = section.integer(
    "KME_WAIT_SECONDS",
    3600,
    low=10,
    high=604_800,
    about="Seconds that a delivered key waits for the other application; then nobody is given it any more.",
)

# All keys of a request leave the stock in one transaction, which holds a hundred rows: those of 32 quantum keys of 256
# bits fit, whatever blocks they come from
if KME_MAX_KEYS_PER_REQUEST * -(-KME_MAX_KEY_BITS // 256) > 32:
    raise ImproperlyConfigured(
        "KME_MAX_KEYS_PER_REQUEST keys of KME_MAX_KEY_BITS are more than 32 times 256 bits. Lower one of them."
    )
if not (KME_MIN_KEY_BITS <= KME_KEY_BITS <= KME_MAX_KEY_BITS):
    raise ImproperlyConfigured("KME_KEY_BITS must lie between KME_MIN_KEY_BITS and KME_MAX_KEY_BITS.")
if any(bits % 8 for bits in (KME_MIN_KEY_BITS, KME_KEY_BITS, KME_MAX_KEY_BITS)):
    raise ImproperlyConfigured("KME_KEY_BITS, KME_MIN_KEY_BITS and KME_MAX_KEY_BITS must be multiples of 8.")
