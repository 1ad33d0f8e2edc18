"""Forms of the second factor: wrong codes are counted, and a secret that is not yet confirmed is sealed, too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from allauth.core import context
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.totp.internal import auth
from allauth.mfa.webauthn.forms import AuthenticateWebAuthnForm, ReauthenticateWebAuthnForm
from django import forms
from django.core.exceptions import ValidationError

from apps.access import sealed_secrets, sign_ins

TOO_MANY = "too_many_login_attempts"


@contextmanager
def _noted(user: Any) -> Iterator[None]:
    """Record what a form refuses."""
    try:
        yield
    except ValidationError as refused:
        if refused.code == TOO_MANY:
            sign_ins.note_lock(context.request, user.username)
        else:
            sign_ins.note_refused_factor(context.request, user)
        raise


class CodeForm(AuthenticateForm):
    """A code of the app, or a recovery code."""

    def clean_code(self) -> str:
        with _noted(self.user):
            return str(super().clean_code())


class ConfirmingCodeForm(ReauthenticateForm):
    """The same, of who is signed in."""

    def clean_code(self) -> str:
        with _noted(self.user):
            return str(super().clean_code())


class SecurityKeyForm(AuthenticateWebAuthnForm):
    """An answer of a security key."""

    def clean_credential(self) -> Authenticator:
        with _noted(self.user):
            return super().clean_credential()


class ConfirmingSecurityKeyForm(ReauthenticateWebAuthnForm):
    """The same, of who is signed in."""

    def clean_credential(self) -> Authenticator:
        with _noted(self.user):
            return super().clean_credential()


class NewAuthenticatorForm(ActivateTOTPForm):
    """The first code of an app. Until it was entered, the secret waits in the session, sealed."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self.user = named.pop("user")
        forms.Form.__init__(self, *arguments, **named)
        session = context.request.session
        kept = session.get(auth.SECRET_SESSION_KEY) if self.is_bound else None
        self.secret = sealed_secrets.open_sealed(kept) if kept else auth.generate_totp_secret()
        if not kept:
            session[auth.SECRET_SESSION_KEY] = sealed_secrets.seal(self.secret)
