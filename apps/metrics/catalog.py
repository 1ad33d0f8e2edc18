"""The one list of metrics: name, unit, dimensions. Whatever shows, keeps or alarms on one is made from it.

CloudWatch gets the names as they stand here; OpenMetrics gets them in its own spelling (``open_name``).
"""

import re
from dataclasses import dataclass
from enum import StrEnum

NAMESPACE = "QuantumKeys"


class Kind(StrEnum):
    """How a metric's values add up."""

    COUNTER = "counter"  # to a sum, of which the rate tells
    GAUGE = "gauge"  # not at all: the latest counts
    DISTRIBUTION = "distribution"  # to a histogram


class Unit(StrEnum):
    """As CloudWatch names them."""

    COUNT = "Count"
    SECONDS = "Seconds"
    BYTES = "Bytes"
    BITS = "Bits"
    PERCENT = "Percent"


class Section(StrEnum):
    """Parts of the dashboards."""

    API = "API"
    LINKS = "Links"
    ENCRYPTION = "Encryption"
    KEYS = "Keys"
    WORK = "Work"
    OVERSIGHT = "Oversight"


@dataclass(frozen=True, slots=True)
class Alarm:
    """When somebody has to look.

    Args:
        statistic: over all dimensions, as CloudWatch's query language names it.
        threshold: from which on, or below which.
        about: what is the matter.
        where: a condition on dimensions, as that language writes it.
        below: whether too little is the matter.
        periods: of five minutes in a row.
    """

    statistic: str
    threshold: float
    about: str
    where: str = ""
    below: bool = False
    periods: int = 1


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. Its dimensions have few values each: a name, a state, never an id of something that is made daily."""

    name: str
    kind: Kind
    unit: Unit
    dimensions: tuple[str, ...]
    meaning: str
    section: Section
    buckets: tuple[float, ...] = ()  # upper bounds of a distribution's histogram
    alarm: Alarm | None = None

    @property
    def open_name(self) -> str:
        """The name in OpenMetrics: ``qkd_request_seconds``."""
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", self.name).lower()
        unit = "" if self.unit is Unit.COUNT else f"_{self.unit.lower()}"
        return (
            f"qkd_{words}"
            if not unit or words.endswith(unit) or f"_{words}" == unit
            else f"qkd_{words}{unit}"
        )


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
WAITING = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)

REQUESTS = Metric(
    "Requests",
    Kind.COUNTER,
    Unit.COUNT,
    ("route", "method", "status"),
    "Requests answered, by the first digit of their status.",
    Section.API,
)
REQUEST_SECONDS = Metric(
    "RequestSeconds",
    Kind.DISTRIBUTION,
    Unit.SECONDS,
    ("route", "method"),
    "Seconds until the answer began.",
    Section.API,
    SECONDS,
)
THROTTLED = Metric(
    "Throttled",
    Kind.COUNTER,
    Unit.COUNT,
    ("route",),
    "Requests refused as too many (429).",
    Section.API,
)
COLD_STARTS = Metric(
    "ColdStarts",
    Kind.DISTRIBUTION,
    Unit.SECONDS,
    ("function",),
    "Seconds that a process of a function took to its first event; their number is that of cold starts.",
    Section.API,
    SECONDS,
)
VERDICTS = Metric(
    "Verdicts",
    Kind.COUNTER,
    Unit.COUNT,
    ("link", "verdict"),
    "Sessions judged.",
    Section.LINKS,
    alarm=Alarm("SUM", 1, "An eavesdropper was detected on a link", where="verdict = 'compromised'"),
)
QBER = Metric(
    "QBER",
    Kind.DISTRIBUTION,
    Unit.PERCENT,
    ("link",),
    "Error rates of judged sessions.",
    Section.LINKS,
    (0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 9.0, 11.0, 15.0, 25.0, 50.0),
)
SECRET_BITS = Metric(
    "SecretBits",
    Kind.COUNTER,
    Unit.BITS,
    ("link",),
    "Secret bits of ready sessions; their rate is the link's secret bits per second.",
    Section.LINKS,
)
KEYS_GENERATED = Metric(
    "KeysGenerated",
    Kind.COUNTER,
    Unit.COUNT,
    ("link",),
    "Quantum keys that ready sessions hold; their rate is the key generation rate.",
    Section.LINKS,
)
VERDICT_LAG = Metric(
    "VerdictLag",
    Kind.DISTRIBUTION,
    Unit.SECONDS,
    (),
    "Seconds from a session to its verdict.",
    Section.LINKS,
    WAITING,
    Alarm("MAX", 120, "Sessions wait two minutes for their verdicts", periods=2),
)
STOCK = Metric(
    "Stock",
    Kind.GAUGE,
    Unit.COUNT,
    ("link",),
    "Quantum keys of the platform's that are ready.",
    Section.KEYS,
    alarm=Alarm("MIN", 64, "The stock of quantum keys is nearly empty", below=True, periods=2),
)
POOL_KEYS = Metric(
    "PoolKeys",
    Kind.GAUGE,
    Unit.COUNT,
    ("state",),
    "Pool keys by state.",
    Section.KEYS,
    alarm=Alarm("MIN", 10, "Few pool keys are active", where="state = 'active'", below=True, periods=2),
)
POOL_KEY_AGE = Metric(
    "PoolKeyAge",
    Kind.GAUGE,
    Unit.SECONDS,
    ("state",),
    "Age of the oldest pool key in a state.",
    Section.KEYS,
)
ENCRYPTIONS = Metric(
    "Encryptions",
    Kind.COUNTER,
    Unit.COUNT,
    ("kind",),
    "Files, messages and data keys encrypted.",
    Section.ENCRYPTION,
)
ENCRYPTED_BYTES = Metric(
    "EncryptedBytes",
    Kind.COUNTER,
    Unit.BYTES,
    ("kind",),
    "Bytes of the files encrypted.",
    Section.ENCRYPTION,
)
ENCRYPTION_SECONDS = Metric(
    "EncryptionSeconds",
    Kind.DISTRIBUTION,
    Unit.SECONDS,
    ("kind",),
    "Seconds that the encryption of one file took.",
    Section.ENCRYPTION,
    SECONDS,
)
DECRYPTIONS = Metric(
    "Decryptions",
    Kind.COUNTER,
    Unit.COUNT,
    ("kind",),
    "Files and messages read, and keys of files handed out.",
    Section.ENCRYPTION,
)
DECRYPTED_BYTES = Metric(
    "DecryptedBytes",
    Kind.COUNTER,
    Unit.BYTES,
    ("kind",),
    "Bytes of the files and messages given out decrypted: those of a range are its own.",
    Section.ENCRYPTION,
)
JOBS_ENDED = Metric(
    "JobsEnded",
    Kind.COUNTER,
    Unit.COUNT,
    ("kind", "state"),
    "Jobs that ended, and how.",
    Section.WORK,
)
JOBS_QUEUED = Metric(
    "JobsQueued",
    Kind.COUNTER,
    Unit.COUNT,
    ("kind",),
    "Jobs that were queued.",
    Section.WORK,
)
JOBS_OPEN = Metric("JobsOpen", Kind.GAUGE, Unit.COUNT, (), "Jobs that wait or run, up to 200.", Section.WORK)
DEAD_LETTERS = Metric(
    "DeadLetters",
    Kind.GAUGE,
    Unit.COUNT,
    (),
    "Events that failed at every attempt.",
    Section.WORK,
    alarm=Alarm("MAX", 1, "An event failed at every attempt"),
)
TRAIL_LAG = Metric(
    "TrailLag",
    Kind.DISTRIBUTION,
    Unit.SECONDS,
    ("follower",),
    "Seconds from an entry of the trail until what follows it has taken it.",
    Section.WORK,
    WAITING,
    Alarm("MAX", 600, "What follows the trail is ten minutes late", periods=2),
)
TABLE_UNITS = Metric(
    "TableUnits",
    Kind.COUNTER,
    Unit.COUNT,
    ("work", "kind"),
    "DynamoDB's capacity units, read and write, by what they were spent on: a route, a kind of job, an event.",
    Section.WORK,
)
REFUSALS = Metric(
    "Refusals",
    Kind.COUNTER,
    Unit.COUNT,
    ("event",),
    "Attempts that were refused, as the trail records them.",
    Section.OVERSIGHT,
)
CASES_OPEN = Metric(
    "CasesOpen",
    Kind.GAUGE,
    Unit.COUNT,
    ("status",),
    "Cases that are not closed, up to 200 of each.",
    Section.OVERSIGHT,
)

METRICS: tuple[Metric, ...] = tuple(found for found in list(vars().values()) if isinstance(found, Metric))
