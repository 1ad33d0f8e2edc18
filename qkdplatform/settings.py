"""All settings, read from the environment once. The stage decides only what is stricter."""

from pathlib import Path
from typing import Any

import dj_database_url

from qkdplatform import env

BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"
STAGE = env.text("QKD_STAGE", "local")  # local, dev, staging, production
LOCAL = STAGE == "local"
LOCAL_DIR = Path(env.text("LOCAL_DIR", str(BASE_DIR / ".local")))

# Secrets: no defaults. `make run` keeps its own in LOCAL_DIR, the tests set theirs.
SECRET_KEY = env.text("DJANGO_SECRET_KEY")
SECRET_KEY_FALLBACKS = env.words("DJANGO_SECRET_KEY_PREVIOUS")
API_KEY_PEPPER = env.text("API_KEY_PEPPER")
AUDIT_KEY = env.text("AUDIT_KEY")
RECORD_KEY = env.text("RECORD_KEY")  # of the tags of rows that decide about security
RECORD_KEY_PREVIOUS = env.words("RECORD_KEY_PREVIOUS")  # their tags still count

# AWS. Endpoints come from the SDK's own AWS_ENDPOINT_URL; nothing here knows the embedded stack.
TABLE_PREFIX = env.text("TABLE_PREFIX", f"qkd-{STAGE}")
UPLOADS_BUCKET = env.text("UPLOADS_BUCKET", f"qkd-{STAGE}-uploads")
ENCRYPTED_BUCKET = env.text("ENCRYPTED_BUCKET", f"qkd-{STAGE}-encrypted")
DOWNLOADS_BUCKET = env.text("DOWNLOADS_BUCKET", f"qkd-{STAGE}-downloads")
UPLOAD_EVENTS_QUEUE = env.text("UPLOAD_EVENTS_QUEUE", f"qkd-{STAGE}-upload-events")
JOBS_QUEUE = env.text("JOBS_QUEUE", f"qkd-{STAGE}-jobs")
DEAD_LETTER_QUEUE = env.text("DEAD_LETTER_QUEUE", f"qkd-{STAGE}-dead-letters")
ALERT_TOPIC_ARN = env.text("ALERT_TOPIC_ARN", "")
ROOT_KEY = env.text("ROOT_KEY", f"local:{LOCAL_DIR / 'root.key'}" if LOCAL else None)
ROOT_KEY_PREVIOUS = env.words("ROOT_KEY_PREVIOUS")  # still unwrap, until `manage.py root_key rotate` is done
RECOVERY_PUBLIC_KEY = env.text("RECOVERY_PUBLIC_KEY", "")  # of `manage.py recovery make`; empty: no recovery
AWS_REGION = env.text("AWS_DEFAULT_REGION", "us-east-1")
AWS_ENDPOINT_URL = env.text("AWS_ENDPOINT_URL", "")

# Domain
QBER_THRESHOLD = env.real("QBER_THRESHOLD", 0.11, low=0.0, high=0.5)
SESSION_TTL_DAYS = env.integer("SESSION_TTL_DAYS", 90, low=1)
QUANTUM_KEY_BITS = 256  # one quantum key of files and messages; AES-256's and HKDF's salt
STOCK_LOW_WATER = env.integer("STOCK_LOW_WATER", 32)  # ready quantum keys below which sessions are run
STOCK_TARGET = env.integer("STOCK_TARGET", 128)  # what a refill brings it to
STOCK_SESSION_PAUSE = env.real(
    "STOCK_SESSION_PAUSE", 2.0, low=0.0, high=60.0
)  # seconds between a refill's sessions
POOL_TARGET = env.integer("POOL_TARGET", 100, low=1)
POOL_LOW_WATER = env.integer("POOL_LOW_WATER", 80)
KEY_POOLS = env.document("KEY_POOLS")  # of tenants or purposes: see apps/keys/pools.py
POOL_ROTATION_DAYS = env.integer("POOL_ROTATION_DAYS", 30, low=1)
POOL_MAX_USES = env.integer("POOL_MAX_USES", 100_000, low=1)  # what one leaked key can cost
DESTRUCTION_WINDOW_DAYS = env.integer("DESTRUCTION_WINDOW_DAYS", 30, low=7, high=30)
DELETION_WINDOW_DAYS = env.integer(
    "DELETION_WINDOW_DAYS", 30, low=1
)  # to restore a file in, before it is shredded
REWRAP_PER_SECOND = env.integer(
    "REWRAP_PER_SECOND", 50, low=1
)  # files; leaves the tables to who waits for an answer
FEED_SHARDS = env.integer("FEED_SHARDS", 1, low=1, high=64)  # may grow, never shrink: docs/architecture.md
AUDIT_CHAINS = env.integer("AUDIT_CHAINS", 16, low=1, high=256)  # likewise
GENERATE_LIMIT_SECONDS = env.integer("GENERATE_LIMIT_SECONDS", 20, low=1, high=29)  # API Gateway ends at 29 s
PRESIGNED_SECONDS = env.integer("PRESIGNED_SECONDS", 900, low=1, high=3600)
STREAMED_DOWNLOAD_BYTES = env.integer("STREAMED_DOWNLOAD_BYTES", 4 * 2**20)  # Lambda answers at most 6 MB
UPLOAD_MAX_BYTES = env.integer("UPLOAD_MAX_BYTES", 5 * 2**30)
EVENT_UPLOAD_BYTES = env.integer(
    "EVENT_UPLOAD_BYTES", 2 * 2**30
)  # larger uploads are a job: Lambda ends at 900 s

DEBUG = False
BASE_URL = env.text("BASE_URL", "http://127.0.0.1:8000" if LOCAL else None)
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", "127.0.0.1,localhost" if LOCAL else "")
CSRF_TRUSTED_ORIGINS = env.words("CSRF_TRUSTED_ORIGINS", BASE_URL)
ROOT_URLCONF = "qkdplatform.urls"
WSGI_APPLICATION = "qkdplatform.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "apps.console",  # before the admin, whose templates it extends
    "qkdplatform.admin_site.ConsoleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "qkdplatform.apps.PlatformConfig",
    "apps.common",
    "apps.audit",
    "apps.access",
    "apps.keys",
    "apps.sessions.apps.SessionsConfig",
    "apps.detections",
    "apps.files",
    "apps.custody",
    "apps.jobs",
    *(["apps.stack"] if LOCAL else []),
]
MIDDLEWARE = [
    "apps.common.middleware.RequestGuard",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": dj_database_url.parse(
        env.text("DATABASE_URL", f"sqlite:///{LOCAL_DIR / 'console.sqlite3'}" if LOCAL else None)
    )
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = env.text("STATIC_URL", "/static/")
STATIC_ROOT = None if LOCAL else BASE_DIR / "staticfiles"  # locally from the apps themselves
WHITENOISE_USE_FINDERS = LOCAL  # nothing to collect before `make run`
WHITENOISE_AUTOREFRESH = False

# Cookies and transport: strict wherever TLS is in front.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_NAME = "qkd_session"
SESSION_COOKIE_AGE = 8 * 3600
SECURE_SSL_REDIRECT = False if LOCAL else env.flag("SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = None if LOCAL else ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not LOCAL
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

REQUEST_BODY_MAX_BYTES = env.integer("REQUEST_BODY_MAX_BYTES", 2 * 2**20)  # a message; files go to S3
DATA_UPLOAD_MAX_MEMORY_SIZE = REQUEST_BODY_MAX_BYTES
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.access.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.access.permissions.HasDeclaredScopes"],
    "DEFAULT_PARSER_CLASSES": ["apps.common.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "apps.common.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quantum-safe key management",
    "DESCRIPTION": "Quantum keys (BB84) joined with ML-KEM-768 to encrypt files and messages.",
    "VERSION": VERSION,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "ENUM_NAME_OVERRIDES": {"SuiteEnum": "apps.keys.serializers.SUITES"},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.common.schema.with_problem_responses",
    ],
}

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", "sqs://")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "aws_lambda_powertools.logging.formatter.LambdaPowertoolsFormatter"},
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain" if LOCAL else "json"}},
    "root": {"handlers": ["console"], "level": env.text("LOG_LEVEL", "INFO")},
    # At INFO and below these tell of credentials found, and bodies sent
    "loggers": {
        name: {"level": "WARNING"} for name in ("botocore", "boto3", "urllib3", "s3transfer", "pynamodb")
    },
}
