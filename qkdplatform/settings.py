"""All settings: those that the apps declare in ``conf.py``, and those of the frameworks. docs/settings.md lists them."""

from typing import Any
from urllib.parse import urlsplit

import dj_database_url

# One line for each app: mypy reads the types of ``settings.X`` here
from apps.access.conf import *  # noqa: F403 - an app's settings
from apps.access.conf import OIDC_CLIENT_ID
from apps.alerts.conf import *  # noqa: F403 - likewise
from apps.audit.conf import *  # noqa: F403 - likewise
from apps.cases.conf import *  # noqa: F403 - likewise
from apps.common import conf as common
from apps.common.conf import *  # noqa: F403 - likewise
from apps.common.environment import Section
from apps.common.guide import GUIDE, TAGS
from apps.custody.conf import *  # noqa: F403 - likewise
from apps.detections.conf import *  # noqa: F403 - likewise
from apps.exports.conf import *  # noqa: F403 - likewise
from apps.files.conf import *  # noqa: F403 - likewise
from apps.jobs.conf import *  # noqa: F403 - likewise
from apps.keys.conf import *  # noqa: F403 - likewise
from apps.kme.conf import *  # noqa: F403 - likewise
from apps.metrics.conf import *  # noqa: F403 - likewise
from apps.notices.conf import *  # noqa: F403 - likewise
from apps.rollups.conf import *  # noqa: F403 - likewise
from apps.sessions.conf import *  # noqa: F403 - likewise

VERSION = "0.1.0"
section = Section("Web")

# Secrets: no defaults. `make run` keeps its own in LOCAL_DIR, the tests set theirs.
SECRET_KEY = section.text("DJANGO_SECRET_KEY", secret=True, about="Signs sign-ins, cursors and forms.")
SECRET_KEY_FALLBACKS = section.words(
    "DJANGO_SECRET_KEY_PREVIOUS",
    about="Keys whose signatures are still accepted while DJANGO_SECRET_KEY changes.",
)

DEBUG = False
BASE_URL = section.text(
    "BASE_URL", local="http://127.0.0.1:8000", about="The address that people and programs use."
)
ALLOWED_HOSTS = section.words(
    "ALLOWED_HOSTS", local="127.0.0.1,localhost", about="Host names that requests may ask for."
)
CSRF_TRUSTED_ORIGINS = section.words(
    "CSRF_TRUSTED_ORIGINS", about="Origins whose forms and uploads are accepted; empty: BASE_URL."
) or ["://".join(urlsplit(BASE_URL)[:2])]
# On API Gateway's own address the stage is a part of the path. The gateway takes it off; links need it back.
FORCE_SCRIPT_NAME = urlsplit(BASE_URL).path.rstrip("/") or None
AUTH_USER_MODEL = "access.User"
ROOT_URLCONF = "qkdplatform.urls"
WSGI_APPLICATION = "qkdplatform.wsgi.application"
REDRIVER = "qkdplatform.redriving.redrive"  # by which a job tries dead letters again: no app knows the entry
CELERY_APP = "qkdplatform.celery.app"  # which sends jobs' messages; likewise
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
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "qkdplatform.apps.PlatformConfig",
    "apps.common",
    "apps.metrics",
    "apps.audit",
    "apps.following",
    "apps.rollups",
    "apps.alerts",
    "apps.exports",
    "apps.notices",
    "apps.access",  # before allauth, whose templates it replaces
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    # With it comes a client of HTTP, 70 modules
    *(["allauth.socialaccount.providers.openid_connect"] if OIDC_CLIENT_ID else []),
    "apps.keys",
    "apps.links",
    "apps.sessions.apps.SessionsConfig",
    "apps.cases",
    "apps.detections",
    "apps.files",
    "apps.kme",
    "apps.custody",
    "apps.jobs",
    "apps.reports",
    "apps.operations",
    *(["apps.stack"] if common.LOCAL else []),
]
MIDDLEWARE = [
    "apps.metrics.middleware.Measured",  # before all, so that it sees what they answer
    "corsheaders.middleware.CorsMiddleware",  # before whatever answers: a browser reads no other answer
    "apps.common.middleware.RequestGuard",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "apps.access.gate.ConsoleGate",
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
        section.text(
            "DATABASE_URL",
            local="sqlite:///{local_dir}/console.sqlite3",
            secret=True,
            about="The database of users, groups and sign-ins; holds nothing of the domain.",
        )
    )
}
# Shared by all processes: a cache or sessions of each one's own would keep a person signed in elsewhere after signing out.
SESSION_ENGINE = "django.contrib.sessions.backends.db"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "shared_cache",
        # A full one drops a third, counts of wrong passwords among them: more than a flood of names can write
        # before its own sources are held off
        "OPTIONS": {"MAX_ENTRIES": 200_000},
    }
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = (
    section.text(
        "STATIC_URL",
        "",
        about="Where static files are served from; empty: below BASE_URL, from the function itself.",
    )
    or f"{FORCE_SCRIPT_NAME or ''}/static/"
)
STATIC_ROOT = None if common.LOCAL else common.BASE_DIR / "staticfiles"  # locally from the apps themselves
WHITENOISE_USE_FINDERS = common.LOCAL  # nothing to collect before `make run`
WHITENOISE_AUTOREFRESH = False

# Cookies and transport: strict wherever TLS is in front.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not common.LOCAL or BASE_URL.startswith("https://")
SESSION_COOKIE_NAME = "qkd_session"
SESSION_COOKIE_AGE = 8 * 3600
SECURE_SSL_REDIRECT = (
    section.flag(
        "SECURE_SSL_REDIRECT", default=True, about="Redirect HTTP to HTTPS; never at the local stage."
    )
    and not common.LOCAL
)
SECURE_PROXY_SSL_HEADER = None if common.LOCAL else ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 0 if common.LOCAL else 31_536_000
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not common.LOCAL
CSRF_FAILURE_VIEW = "apps.console.kept.csrf_failure"  # what was typed is not lost with a form's token
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

DATA_UPLOAD_MAX_MEMORY_SIZE = max(common.REQUEST_BODY_MAX_BYTES, common.BATCH_BODY_MAX_BYTES)
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.access.authentication.ApiKeyAuthentication",
        "apps.access.authentication.BearerAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["apps.access.permissions.HasDeclaredScopes"],
    "DEFAULT_PARSER_CLASSES": ["apps.common.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "apps.common.negotiation.DeclaredNegotiation",
    "DEFAULT_SCHEMA_CLASS": "apps.access.schema.ApiSchema",
    "EXCEPTION_HANDLER": "apps.common.problems.exception_handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Quantum-safe key management",
    "DESCRIPTION": GUIDE,
    "VERSION": VERSION,
    "OAS_VERSION": "3.1.0",
    "SERVERS": [{"url": BASE_URL}],
    "TAGS": [{"name": name, "description": text} for name, text in TAGS.items()],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    # Stable names: generated clients have types of them
    "ENUM_NAME_OVERRIDES": {
        "KeySuite": "apps.keys.serializers.SUITES",
        "SealingSuite": "apps.keys.serializers.SEALING_SUITES",
        "PackageSuite": "apps.files.api.serializers.messages.PACKAGE_SUITES",
        "Purpose": "apps.keys.serializers.PURPOSES",
        "SessionStatus": "apps.sessions.serializers.STATUSES",
        "Stock": "apps.sessions.serializers.STOCKS",
        "KeyState": "apps.keys.serializers.KEY_STATES",
        "LinkSource": "apps.links.serializers.SOURCES",
        "LinkState": "apps.links.serializers.STATES",
        "Role": "apps.access.serializers.ROLES",
        "PrincipalKind": "apps.access.serializers.KINDS",
        "PrincipalStatus": "apps.access.serializers.PRINCIPAL_STATES",
        "ApiKeyStatus": "apps.access.serializers.KEY_STATES",
        "GrantRight": "apps.access.serializers.RIGHTS",
        "CaseStatus": "apps.cases.serializers.STATUSES",
        "Severity": "apps.cases.serializers.SEVERITIES",
        "AlertStatus": "apps.alerts.serializers.STATUSES",
        "DeliveryState": "apps.notices.serializers.STATES",
        "DigestBy": "apps.files.api.serializers.files.DIGEST_BY",
    },
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": True,  # else the schema denies the null of a choice that may be null
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "apps.common.schema.with_problem_responses",
    ],
}

LOG_LEVEL = section.text("LOG_LEVEL", "INFO", about="The least severe level that is logged.")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "aws_lambda_powertools.logging.formatter.LambdaPowertoolsFormatter"},
        "plain": {
            "()": "apps.common.tracing.Plain",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        },
    },
    "filters": {"ids": {"()": "apps.common.tracing.WithIds"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "plain" if common.LOCAL else "json",
            "filters": ["ids"],
        }
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # At INFO and below these tell of credentials found, and bodies sent
    "loggers": {
        name: {"level": "WARNING"} for name in ("botocore", "boto3", "urllib3", "s3transfer", "pynamodb")
    },
}
