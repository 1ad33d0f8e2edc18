"""Settings of QKD sessions and the stock of quantum keys."""

from apps.common.environment import Section

section = Section("Sessions")

QUANTUM_KEY_BITS = 256  # one quantum key of files and messages; AES-256's and HKDF's salt
SESSION_TTL_DAYS = section.integer(
    "SESSION_TTL_DAYS", 90, low=1, about="Days that a session is kept of which no key was taken."
)
STOCK_LOW_WATER = section.integer(
    "STOCK_LOW_WATER",
    256,
    about="Ready quantum keys below which sessions are run, whatever the demand; below it the alarm is raised.",
)
STOCK_TARGET = section.integer(
    "STOCK_TARGET", 2048, about="Ready quantum keys that a refill brings the stock to, at least."
)
STOCK_LEAD_SECONDS = section.integer(
    "STOCK_LEAD_SECONDS",
    120,
    low=1,
    high=3600,
    about="Seconds from noticing that the stock runs low until new keys are ready; it is refilled while it lasts for "
    "twice that.",
)
STOCK_RESERVED = section.integer(
    "STOCK_RESERVED",
    32,
    about="Last ready quantum keys that are kept from whoever took more than half of those that a process gave out "
    "within a minute.",
)
STOCK_SESSION_PAUSE = section.real(
    "STOCK_SESSION_PAUSE", 2.0, low=0.0, high=60.0, about="Seconds between the sessions of a refill."
)
GENERATE_LIMIT_SECONDS = section.integer(
    "GENERATE_LIMIT_SECONDS",
    3,
    low=1,
    high=29,
    about="Seconds that a request may run a session for, by its estimate; a longer one becomes a job. API Gateway ends "
    "a request at 29.",
)
