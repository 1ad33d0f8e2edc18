"""Settings of QKD sessions and the stock of quantum keys."""

from apps.common.environment import Section

section = Section("Sessions")

QUANTUM_KEY_BITS = 256  # one quantum key of files and messages; AES-256's and HKDF's salt
SESSION_TTL_DAYS = section.integer(
    "SESSION_TTL_DAYS", 90, low=1, about="Days that a session is kept of which no key was taken."
)
STOCK_LOW_WATER = section.integer(
    "STOCK_LOW_WATER", 32, about="Ready quantum keys below which sessions are run."
)
STOCK_TARGET = section.integer(
    "STOCK_TARGET", 128, about="Ready quantum keys that a refill brings the stock to."
)
STOCK_SESSION_PAUSE = section.real(
    "STOCK_SESSION_PAUSE", 2.0, low=0.0, high=60.0, about="Seconds between the sessions of a refill."
)
GENERATE_LIMIT_SECONDS = section.integer(
    "GENERATE_LIMIT_SECONDS",
    20,
    low=1,
    high=29,
    about="Seconds that a request may run sessions for; API Gateway ends a request at 29.",
)
