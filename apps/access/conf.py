"""Settings of access to the API."""

from collections.abc import Mapping

from django.core.exceptions import ImproperlyConfigured

from apps.access.roles import Role
from apps.common.environment import Section

section = Section("Access")
QUOTA_NAMES = ("keys", "files", "bytes", "jobs")


def _check_roles(roles: Mapping[str, object]) -> None:
    unknown = sorted({str(role) for role in roles.values()} - set(Role))
    if unknown:
        raise ImproperlyConfigured(f"JWT_ROLES names {', '.join(unknown)}; the roles are {', '.join(Role)}.")


def _check_quotas(quotas: Mapping[str, object]) -> None:
    for name, most in quotas.items():
        if name not in QUOTA_NAMES or not isinstance(most, int) or isinstance(most, bool) or most < 0:
            raise ImproperlyConfigured(
                f"QUOTAS gives a whole number for some of {', '.join(QUOTA_NAMES)}, not {name}: {most}."
            )


API_KEY_PEPPER = section.text(
    "API_KEY_PEPPER", secret=True, about="The key of the hashes that API keys are kept as."
)
API_KEY_PEPPER_PREVIOUS = section.words(
    "API_KEY_PEPPER_PREVIOUS",
    about="Peppers under which API keys are still accepted. Rotate the keys issued under one before it is taken away.",
)

THROTTLE_BURST = section.integer(
    "THROTTLE_BURST",
    500,
    about="Requests of a principal and scope in one second, over all instances; 0: not throttled.",
)
THROTTLE_STEADY = section.real(
    "THROTTLE_STEADY",
    200,
    low=0,
    high=1_000_000,
    about="Likewise, a second on average over a minute; 0: not throttled.",
)
THROTTLES = section.document(
    "THROTTLES",
    about='Other limits by scope, principal, or both, such as {"messages:encrypt": {"burst": 50, "steady": 20}}.',
)
FAILED_AUTHENTICATIONS = section.integer(
    "FAILED_AUTHENTICATIONS",
    60,
    about="Failed authentications in a minute, after which a source has to wait for the next; 0: no limit.",
)
EXPIRY_WARNING_DAYS = section.integer(
    "EXPIRY_WARNING_DAYS",
    14,
    low=1,
    high=365,
    about="Days before the end of an API key or a certificate from which on an alert is raised.",
)
QUOTAS = section.document(
    "QUOTAS",
    about='What everybody may use in a calendar month where nothing else was set for them, such as {"keys": 100000, "files": 10000, "bytes": 1000000000000, "jobs": 500}; empty: as much as they want.',
)
_check_quotas(QUOTAS)
CORS_ALLOWED_ORIGINS = section.words(
    "CORS_ALLOWED_ORIGINS",
    about="Origins, such as https://app.example.com, whose pages may call the API from a browser; empty: none.",
)
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_METHODS = ["GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"]
# No cookies: a page has to hold a credential of its own
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "traceparent",
    "if-match",
    "if-none-match",
    "prefer",
    "range",
    "x-api-key",
    "x-passphrase",
    "x-request-id",
]
CORS_EXPOSE_HEADERS = [
    "Content-Range",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
]
CORS_PREFLIGHT_MAX_AGE = 3600

JWT_ISSUER = section.text(
    "JWT_ISSUER",
    "",
    about="The OpenID Connect issuer whose access tokens are accepted, such as a Cognito pool's; empty: none.",
)
JWT_JWKS_URL = section.text(
    "JWT_JWKS_URL", "", about="Where the issuer's signing keys are; empty: <issuer>/.well-known/jwks.json."
)
JWT_CLIENT_IDS = section.words(
    "JWT_CLIENT_IDS", about="Clients of the pool whose tokens are accepted; without any, no token is."
)
JWT_CLIENT_CLAIM = section.text(
    "JWT_CLIENT_CLAIM",
    "client_id",
    about="The claim that names the client: client_id, or azp of other issuers.",
)
JWT_TOKEN_USE = section.text(
    "JWT_TOKEN_USE",
    "access",
    about="What the claim token_use has to be; empty for issuers that have no such claim.",
)
JWT_SCOPE_PREFIX = section.text(
    "JWT_SCOPE_PREFIX", "qkd/", about="What precedes this platform's scopes in the claim scope."
)
JWT_GROUPS_CLAIM = section.text(
    "JWT_GROUPS_CLAIM", "cognito:groups", about="The claim that lists the groups of who signed in."
)
JWT_ROLES = section.document(
    "JWT_ROLES",
    about='Roles by group of the pool, such as {"qkd-clients": "client"}, for who has no principal here.',
)
_check_roles(JWT_ROLES)
JWT_GROUPS = section.document(
    "JWT_GROUPS", about='Groups here by group of the pool, such as {"accounts": "group:accounts"}.'
)

SECOND_FACTOR_ROLES = section.words(
    "SECOND_FACTOR_ROLES",
    "operator,auditor,administrator",
    local="",
    about="Roles whose people need a second factor at the console; without one they are led to add it.",
)
IDLE_MINUTES = section.integer(
    "IDLE_MINUTES",
    30,
    high=480,
    about="Minutes without activity after which a person is signed out of the console; 0: never.",
)
CONFIRM_SECONDS = section.integer(
    "CONFIRM_SECONDS",
    300,
    high=28_800,
    about="Seconds after a sign-in or confirmation in which destructive acts at the console ask for no other; 0: never asked.",
)
OIDC_ISSUER = section.text(
    "OIDC_ISSUER",
    "",
    about="The OpenID Connect issuer that people sign in to the console with; empty: JWT_ISSUER.",
)
OIDC_CLIENT_ID = section.text(
    "OIDC_CLIENT_ID", "", about="The console's client at that issuer; empty: people sign in by password only."
)
OIDC_CLIENT_SECRET = section.text(
    "OIDC_CLIENT_SECRET", "", secret=True, about="Its secret; empty: a public client, with PKCE alone."
)
OIDC_NAME = section.text("OIDC_NAME", "your organisation", about="What the button calls it: Sign in with ...")
OIDC_SECOND_FACTOR = section.flag(
    "OIDC_SECOND_FACTOR",
    default=False,
    about="Whether the issuer asks for a second factor, so that the console does not.",
)

mail = Section("Mail")
EMAIL_HOST = mail.text(
    "EMAIL_HOST",
    "",
    about="The SMTP server for links that set a forgotten password; empty: administrators make them.",
)
EMAIL_PORT = mail.integer("EMAIL_PORT", 587, low=1, high=65_535, about="Its port.")
EMAIL_HOST_USER = mail.text("EMAIL_HOST_USER", "", about="The user to sign in with there.")
EMAIL_HOST_PASSWORD = mail.text("EMAIL_HOST_PASSWORD", "", secret=True, about="Their password.")
EMAIL_USE_TLS = True
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = mail.text("EMAIL_FROM", "noreply@localhost", about="The sender of mail.")

# django-allauth: its limits stand in the shared cache, so that they hold over all processes
LOGIN_URL, LOGIN_REDIRECT_URL = "account_login", "admin:index"
PASSWORD_RESET_TIMEOUT = 3600
ACCOUNT_ADAPTER = "apps.access.console.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = (
    "none"  # addresses are the administrators' to set: approvals tell people apart by them
)
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_EMAIL_NOTIFICATIONS = bool(EMAIL_HOST)
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = CONFIRM_SECONDS
ACCOUNT_RATE_LIMITS = {"login": "30/m/ip", "login_failed": "20/m/ip,5/5m/key"}
MFA_ADAPTER = "apps.access.console.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Quantum-safe key management"
MFA_FORMS = {
    "authenticate": "apps.access.console.forms.CodeForm",
    "authenticate_webauthn": "apps.access.console.forms.SecurityKeyForm",
    "reauthenticate": "apps.access.console.forms.ConfirmingCodeForm",
    "reauthenticate_webauthn": "apps.access.console.forms.ConfirmingSecurityKeyForm",
    "activate_totp": "apps.access.console.forms.NewAuthenticatorForm",
}
SOCIALACCOUNT_ADAPTER = "apps.access.console.adapters.PoolAdapter"
# A form's redirect to the issuer is what the content security policy forbids; a link's is not
SOCIALACCOUNT_LOGIN_ON_GET = True
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "OAUTH_PKCE_ENABLED": True,
        "APPS": [
            {
                "provider_id": "pool",
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": OIDC_CLIENT_SECRET,
                "settings": {"server_url": OIDC_ISSUER or JWT_ISSUER},
            }
        ]
        if OIDC_CLIENT_ID
        else [],
    }
}
