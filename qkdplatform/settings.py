"""All settings: those that the apps declare in ``conf.py``, and those of the frameworks. docs/settings.md lists them."""

from typing import Any

import dj_database_url

# One line for each app: mypy reads the types of ``settings.X`` here
from apps.access.conf import *  # noqa: F403 - an app's settings
from apps.audit.conf import *  # noqa: F403 - likewise
from apps.common import conf as common
from apps.common.conf import *  # noqa: F403 - likewise
from apps.common.environment import Section
from apps.custody.conf import *  # noqa: F403 - likewise
from apps.detections.conf import *  # noqa: F403 - likewise
from apps.files.conf import *  # noqa: F403 - likewise
from apps.jobs.conf import *  # noqa: F403 - likewise
from apps.keys.conf import *  # noqa: F403 - likewise
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
) or [BASE_URL]
AUTH_USER_MODEL = "access.User"
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
    "apps.links",
    "apps.sessions.apps.SessionsConfig",
    "apps.detections",
    "apps.files",
    "apps.custody",
    "apps.jobs",
    *(["apps.stack"] if common.LOCAL else []),
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
        section.text(
            "DATABASE_URL",
            local="sqlite:///{local_dir}/console.sqlite3",
            secret=True,
            about="The database of users, groups and sign-ins; holds nothing of the domain.",
        )
    )
}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = section.text("STATIC_URL", "/static/", about="Where static files are served from.")
STATIC_ROOT = None if common.LOCAL else common.BASE_DIR / "staticfiles"  # locally from the apps themselves
WHITENOISE_USE_FINDERS = common.LOCAL  # nothing to collect before `make run`
WHITENOISE_AUTOREFRESH = False

# Cookies and transport: strict wherever TLS is in front.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = not common.LOCAL
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
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"

DATA_UPLOAD_MAX_MEMORY_SIZE = common.REQUEST_BODY_MAX_BYTES
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

LOG_LEVEL = section.text("LOG_LEVEL", "INFO", about="The least severe level that is logged.")
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "aws_lambda_powertools.logging.formatter.LambdaPowertoolsFormatter"},
        "plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain" if common.LOCAL else "json"}
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # At INFO and below these tell of credentials found, and bodies sent
    "loggers": {
        name: {"level": "WARNING"} for name in ("botocore", "boto3", "urllib3", "s3transfer", "pynamodb")
    },
}
