"""All that a stage can be told, with types, bounds and defaults; ``stages.toml`` has the values. See docs/mapping.md.

A throwaway stage (``STAGE=pr761``) is the section ``throwaway`` under a name of its own.
"""

import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAMED = ("dev", "staging", "production")
STAGE = re.compile(r"[a-z][a-z0-9]{0,19}")  # in the names of buckets, functions and queues
REMOVABLE = "throwaway"


class BadConfig(Exception):
    """A value cannot be used; the message names it and says what is allowed."""


@dataclass(frozen=True, slots=True)
class Config:
    """One stage. Given resources (``…_id``, ``…_arn``) are used instead of made ones."""

    stage: str
    project: str = "qkd"
    account: str = ""  # empty: that of the credentials
    region: str = "us-east-1"
    replica_regions: tuple[
        str, ...
    ] = ()  # of the tables and the root key: for failing over, see docs/operations.md
    tags: dict[str, str] = field(default_factory=dict)

    # API
    endpoint_type: str = "REGIONAL"  # or PRIVATE
    vpc_endpoint_id: str = ""  # of a private API; empty: made
    domain_name: str = ""
    certificate_arn: str = ""
    mutual_tls_truststore: str = ""  # s3://…/truststore.pem
    throttle_rate: int = 1_000  # requests a second
    throttle_burst: int = 2_000
    waf: bool = True
    waf_rate_limit: int = 2_000  # requests of one address in five minutes
    cors_origins: tuple[str, ...] = ()

    # Key delivery by ETSI GS QKD 014: all three, or none
    kme_domain_name: str = ""  # of its own: mutual TLS holds for a whole domain
    kme_certificate_arn: str = ""
    kme_truststore: str = ""  # s3://…/truststore.pem: the authorities of the applications

    # Who calls
    auth_method: str = "api_key"  # or cognito: tokens are accepted beside keys
    user_pool_id: str = ""  # empty: made, where auth_method is cognito
    user_pool_mfa: str = "OPTIONAL"  # OFF, OPTIONAL, REQUIRED
    user_pool_password_length: int = 12
    user_pool_callbacks: tuple[str, ...] = ()

    # Network; PostgreSQL in private subnets needs it
    vpc: bool = False
    vpc_id: str = ""  # empty: made, where vpc is true
    subnet_ids: tuple[str, ...] = ()
    security_group_ids: tuple[str, ...] = ()

    # Functions
    memory_mb: int = 512
    worker_memory_mb: int = 1_024
    api_timeout_seconds: int = 29
    worker_timeout_seconds: int = 900
    worker_concurrency: int = 5  # messages of each queue at a time
    provisioned_concurrency: int = 0
    event_processing: bool = True  # mappings of the stream and the queues
    previous_root_key_arn: str = ""  # still unwraps: of a removed stage, or until `root_key rotate`
    role_arn: str = ""  # both functions' role; empty: made. Given: power-user mode, see `make roles`

    # Data
    table_billing: str = "ON_DEMAND"  # or PROVISIONED, with auto scaling
    table_min_capacity: int = 5
    table_max_capacity: int = 200
    point_in_time_recovery: bool = True
    deletion_protection: bool = True
    versioning: bool = True
    upload_expiry_days: int = 7  # of plaintext that nothing encrypted
    noncurrent_days: int = 30  # old versions of encrypted bodies
    tiering_days: int = 30  # until an encrypted body moves to Intelligent-Tiering
    checkpoint_retention_days: int = 365  # object lock
    checkpoint_key: bool = (
        False  # checkpoints are signed by a KMS key of their own (ML-DSA-65), not by a wrapped one
    )
    # Encrypted bodies and checkpoints replicated to buckets with versions, as in another region: all three, or none
    bodies_replica_arn: str = ""
    checkpoints_replica_arn: str = ""  # with object lock
    replicas_key_arn: str = ""  # a KMS key of their region
    kms_window_days: int = 7
    dead_letter_days: int = 14
    max_receives: int = 5

    # The export of sessions, verdicts, usage and cases for Athena (docs/analytics.md)
    analytics: bool = False
    quicksight_principal_arn: str = ""  # whose data source it is in QuickSight; empty: none is made

    # Further settings of the platform (docs/settings.md); a secret belongs into Secrets Manager, not here
    variables: dict[str, str] = field(default_factory=dict)

    # Observability and governance
    logs: bool = True
    log_retention_days: int = 14
    alarm_email: str = ""
    governance: bool = (
        False  # CloudTrail, Config rules, backup plan, GuardDuty, Security Hub: once an account
    )

    def __post_init__(self) -> None:
        if not STAGE.fullmatch(self.stage):
            raise BadConfig(f"STAGE must be lower-case letters and digits, up to 20, not {self.stage!r}.")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise BadConfig(
                    f"{name} must be one of {', '.join(map(str, allowed))}, not {getattr(self, name)!r}."
                )
        for name, (low, high) in _BOUNDS.items():
            if not low <= getattr(self, name) <= high:
                raise BadConfig(f"{name} must lie between {low} and {high}, not {getattr(self, name)}.")
        if self.endpoint_type == "PRIVATE" and not (self.vpc or self.vpc_endpoint_id):
            raise BadConfig("A PRIVATE API needs vpc = true, or a vpc_endpoint_id.")
        if self.endpoint_type == "PRIVATE" and self.domain_name:
            raise BadConfig("domain_name is for a REGIONAL API: a public domain leads to no private one.")
        self._check_domains()
        if bool(self.subnet_ids) != bool(self.vpc_id):
            raise BadConfig("A given VPC needs both vpc_id and subnet_ids.")
        self._check_replicas()
        if self.quicksight_principal_arn and not self.analytics:
            raise BadConfig("quicksight_principal_arn needs analytics = true.")

    def _check_replicas(self) -> None:
        told = {self.bodies_replica_arn, self.checkpoints_replica_arn, self.replicas_key_arn}
        if "" in told and told != {""}:
            raise BadConfig(
                "bodies_replica_arn, checkpoints_replica_arn and replicas_key_arn belong together."
            )
        if self.bodies_replica_arn and not self.versioning:
            raise BadConfig("bodies_replica_arn needs versioning = true.")

    def _check_domains(self) -> None:
        if self.domain_name and not self.certificate_arn:
            raise BadConfig("domain_name needs a certificate_arn of the same region.")
        if self.mutual_tls_truststore and not self.domain_name:
            raise BadConfig("mutual_tls_truststore needs a domain_name.")
        if len({bool(self.kme_domain_name), bool(self.kme_certificate_arn), bool(self.kme_truststore)}) > 1:
            raise BadConfig("kme_domain_name, kme_certificate_arn and kme_truststore belong together.")
        if self.kme_domain_name and self.kme_domain_name == self.domain_name:
            raise BadConfig("kme_domain_name must be another domain than domain_name: browsers use that one.")

    @property
    def prefix(self) -> str:
        """What the names of everything begin with."""
        return f"{self.project}-{self.stage}"

    @property
    def api_function(self) -> str:
        """The name that Zappa gives the API's function."""
        return f"qkdplatform-{self.stage}"

    @property
    def worker_function(self) -> str:
        """The name that Zappa gives the worker's function."""
        return f"{self.api_function}-worker"

    @property
    def removable(self) -> bool:
        """Return whether the stage's data may be removed with it."""
        return not self.deletion_protection

    @classmethod
    def read(cls, stage: str, path: Path | None = None) -> "Config":
        """Read a stage from a file: the one that STAGES names, or ``stages.toml``.

        Raises:
            BadConfig: an unknown name or a value that is not allowed.
        """
        path = path or Path(os.environ.get("STAGES") or HERE / "stages.toml")
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        values = told.get("base", {}) | told.get(stage if stage in NAMED else REMOVABLE, {})
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(values.keys() - known.keys())
        if unknown or "stage" in values:
            raise BadConfig(f"stages.toml: unknown {', '.join(unknown or ['stage'])}.")
        return cls(
            stage=stage, **{name: _typed(name, value, known[name].default) for name, value in values.items()}
        )


def _typed(name: str, value: Any, default: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    wanted = type(default) if isinstance(default, (str, bool, int)) else type(value)
    if type(value) is not wanted:
        raise BadConfig(f"stages.toml: {name} must be of type {wanted.__name__}, not {value!r}.")
    return value


_CHOICES: dict[str, tuple[object, ...]] = {
    "endpoint_type": ("REGIONAL", "PRIVATE"),
    "auth_method": ("api_key", "cognito"),
    "user_pool_mfa": ("OFF", "OPTIONAL", "REQUIRED"),
    "table_billing": ("ON_DEMAND", "PROVISIONED"),
    "log_retention_days": (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3653),
}  # fmt: skip
_BOUNDS = {
    "kms_window_days": (7, 30),
    "waf_rate_limit": (100, 2_000_000_000),
    "memory_mb": (128, 10_240),
    "worker_memory_mb": (128, 10_240),
    "api_timeout_seconds": (3, 29),
    "worker_timeout_seconds": (120, 900),  # a schedule begins no part that has less than 90
    "worker_concurrency": (2, 1_000),
    "user_pool_password_length": (8, 99),
    "dead_letter_days": (1, 14),
    "max_receives": (1, 1_000),
}
