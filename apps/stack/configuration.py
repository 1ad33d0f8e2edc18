"""What ``make run`` may be told by the environment, and the environment it gives to what it starts."""

import hmac
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from apps.stack import layout

ROOT = Path(__file__).resolve().parents[2]
PYTHON_FROM, PYTHON_BEFORE = (3, 11), (3, 15)  # as requires-python in pyproject.toml
# Set for other work in the same shell, these would lead the platform to other data or another cloud.
_NOT_INHERITED = (
    *("DATABASE_URL", "TABLE_PREFIX", "UPLOADS_BUCKET", "ENCRYPTED_BUCKET", "DOWNLOADS_BUCKET"),
    "CHECKPOINTS_BUCKET",
    *("UPLOAD_EVENTS_QUEUE", "JOBS_QUEUE", "DEAD_LETTER_QUEUE", "ALERT_TOPIC_ARN", "CELERY_BROKER_URL"),
    *("ROOT_KEY", "STATIC_URL", "DJANGO_SETTINGS_MODULE", "PYTHONHOME", "PYTHONSAFEPATH", "SERVICES"),
)


WORKERS = 2  # threads that work on jobs
CUSTODY_QUEUE = "qkd-local-custody"


class BadConfiguration(Exception):
    """A variable cannot be used; the message names it and what is allowed."""


@dataclass(frozen=True)
class Configuration:
    """PORT, AWS_PORT, BIND, LOCAL_DIR, BASE_URL, ALLOWED_HOSTS, KME_PORT, KME_FOLDER."""

    port: int
    aws_port: int
    bind: str
    folder: Path
    base_url: str
    allowed_hosts: str
    kme_port: int | None = None  # of key delivery by ETSI GS QKD 014; None: it does not run
    kme_folder: Path | None = None  # of its certificates

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Configuration":
        """From the environment.

        Raises:
            BadConfiguration: a value is not allowed.
        """
        port, aws_port = _port(environment, "PORT", 8000), _port(environment, "AWS_PORT", 4566)
        if port == aws_port:
            raise BadConfiguration(f"PORT and AWS_PORT are both {port}; they must differ.")
        kme_port = _port(environment, "KME_PORT", 0) if environment.get("KME_PORT") else None
        if kme_port in {port, aws_port}:
            raise BadConfiguration(f"KME_PORT is {kme_port}, as another port; they must differ.")
        folder = Path(environment.get("LOCAL_DIR") or ROOT / ".local").resolve()
        bind = environment.get("BIND") or "127.0.0.1"
        host = _reachable(bind)
        host = f"[{host}]" if ":" in host else host
        hosts = sorted({"127.0.0.1", "localhost", host})
        return cls(
            port=port,
            aws_port=aws_port,
            bind=bind,
            folder=folder,
            base_url=(environment.get("BASE_URL") or f"http://{host}:{port}").rstrip("/"),
            allowed_hosts=environment.get("ALLOWED_HOSTS") or ",".join(hosts),
            kme_port=kme_port,
            kme_folder=Path(environment.get("KME_FOLDER") or folder / "kme").resolve(),
        )

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return _is(self.bind, "is_loopback")

    @property
    def reachable(self) -> str:
        """An address of this machine at which the console answers."""
        return _reachable(self.bind)

    @property
    def endpoint(self) -> str:
        """Where the embedded AWS answers; on loopback whatever BIND is."""
        return f"http://127.0.0.1:{self.aws_port}"

    @property
    def origins(self) -> str:
        """Origins of the console's own pages."""
        return ",".join(
            dict.fromkeys([self.base_url, *(f"http://{h}:{self.port}" for h in ("127.0.0.1", "localhost"))])
        )

    def environment(self, inherited: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
        """For the product's processes: the embedded AWS and nothing of a real one."""
        kept = {k: v for k, v in inherited.items() if k not in _NOT_INHERITED and not k.startswith("AWS_")}
        direct = ",".join(
            filter(None, [inherited.get("NO_PROXY") or inherited.get("no_proxy"), "127.0.0.1,localhost"])
        )
        return kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": direct,
            "no_proxy": direct,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": presigning_secret(secrets),
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "QKD_STAGE": "local",
            "CUSTODY_QUEUE": CUSTODY_QUEUE,
            # One worker is always left for the others
            "JOBS_RUNNING_PER_PRINCIPAL": str(WORKERS - 1),
            "DJANGO_SETTINGS_MODULE": "qkdplatform.settings",
            "LOCAL_DIR": str(self.folder),
            "DATABASE_URL": f"sqlite:///{self.folder / layout.DATABASE}",
            "ROOT_KEY": f"local:{self.folder / layout.ROOT_KEY}",
            "BASE_URL": self.base_url,
            "ALLOWED_HOSTS": self.allowed_hosts,
            "CSRF_TRUSTED_ORIGINS": self.origins,
            **secrets,
        }

    def aws_environment(self, inherited: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
        """For the embedded AWS: of the product's secrets only what addresses are signed with."""
        kept = {
            k: v
            for k, v in inherited.items()
            if k in {"PATH", "HOME", "LANG", "TMPDIR", "LOG_LEVEL", "JOURNAL_FSYNC"}
        }
        return kept | {
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "STATE_DIR": str(self.folder / "aws"),
            "GATEWAY_PORT": str(self.aws_port),
            "ALLOW_ORIGINS": self.origins,
            "AWS_SECRET_ACCESS_KEY": presigning_secret(secrets),  # ministack, too, verifies with it
        }


def presigning_secret(secrets: Mapping[str, str]) -> str:
    """The secret key of this installation's AWS: nobody else can sign an address that its door lets through."""
    return hmac.new(secrets["DJANGO_SECRET_KEY"].encode(), b"embedded AWS", "sha256").hexdigest()


def commands(configuration: Configuration) -> dict[str, list[str]]:
    """The program of each child, by its name."""
    stack = str(ROOT / ".venv-stack" / "bin" / "python")
    celery = [sys.executable, "-m", "celery", "-A", "qkdplatform.celery", "worker", "--loglevel", "WARNING"]
    # Threads: one process, so that nothing of it can be left behind
    threads = [*celery, "--pool", "threads", "--concurrency"]
    kme = [sys.executable, str(ROOT / "manage.py"), "run_kme", "--make"]
    kme += ["--port", str(configuration.kme_port), "--folder", str(configuration.kme_folder)]
    return {
        **({} if configuration.kme_port is None else {"kme": kme}),
        "aws": [stack, "-m", "apps.stack.embedded"],
        "prepare": [sys.executable, "-m", "apps.stack.prepare"],
        "web": [sys.executable, "-m", "apps.stack.web", configuration.bind, str(configuration.port)],
        "relay": [sys.executable, "-m", "apps.stack.relay"],
        "worker": [*threads, str(WORKERS)],
        # Of its own: a revocation waits for nobody's batches (I11)
        "custody": [*threads, "1", "--queues", CUSTODY_QUEUE],
    }


def check_machine() -> None:
    """Refuse a Python that the pinned packages do not support, and a missing environment.

    Raises:
        BadConfiguration: says what is wrong and what to do.
    """
    if not PYTHON_FROM <= sys.version_info[:2] < PYTHON_BEFORE:
        raise BadConfiguration(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} is not supported: 3.11 to 3.14 is. "
            "Remove .venv and .venv-stack, then: make install PYTHON=python3.13"
        )
    if shutil.which(str(ROOT / ".venv-stack" / "bin" / "python")) is None:
        raise BadConfiguration(
            "The environment of the embedded AWS, .venv-stack, is missing. Run: make install"
        )


def _reachable(bind: str) -> str:
    if _is(bind, "is_unspecified"):
        return "::1" if ":" in bind else "127.0.0.1"
    return bind


def _is(host: str, kind: Literal["is_loopback", "is_unspecified"]) -> bool:
    try:
        return bool(getattr(ip_address(host), kind))
    except ValueError:  # a name
        return kind == "is_loopback" and host == "localhost"


def _port(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise BadConfiguration(f"{name} must be a port between 1 and 65535, not {text!r}.")
    return int(text)
