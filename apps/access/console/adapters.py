"""What allauth asks this platform: who may come in, how secrets are kept, who somebody of the pool is here."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.shortcuts import render

from apps.access import people, pool_people, sealed_secrets, sign_ins
from apps.access.console.lately import signed_in_lately
from apps.access.users import username_key

SITE = "Quantum-safe key management"


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up; users are found whatever the case of the name; who was held off stands in the trail."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": "There is no such user name with this password.",
        "too_many_login_attempts": "Too many attempts. Wait five minutes, then try again.",
        "incorrect_password": "This is not your password.",
        "incorrect_code": "This code is not valid. Enter the one that your app shows now, or a recovery code.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:  # noqa: ARG002 - allauth's signature
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count an attempt, by source and by user.

        Raises:
            ValidationError: there were too many.
        """
        name = str(credentials.get("username") or "")
        try:
            super().pre_authenticate(request, **credentials | {"username": username_key(name)})
        except ValidationError:
            sign_ins.note_lock(request, name)
            raise

    def pre_login(self, request: HttpRequest, user: Any, **more: Any) -> Any:
        """Turn away who is disabled, here or as a principal; None lets them go on."""
        if user.is_active and not people.may_come_in(user):
            user.is_active = False  # for allauth's answer; it is not saved
        return super().pre_login(request, user, **more)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Return whether to ask again who somebody is; a sign-in counts as a confirmation."""
        del app, kwargs
        return bool(settings.CONFIRM_SECONDS) and not signed_in_lately(self.request)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets are sealed, and pages say what product this is."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": AccountAdapter.error_messages["incorrect_code"]
    }

    def encrypt(self, text: str) -> str:
        return sealed_secrets.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        return sealed_secrets.open_sealed(encrypted_text)

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:  # noqa: A002 - allauth's name
        count = Authenticator.objects.filter(user=user, type=type).count()
        return f"Security key {count + 1}" if count else "Security key"

    def _get_site_name(self) -> str:
        return SITE


class PoolAdapter(DefaultSocialAccountAdapter):
    """People of the OpenID Connect pool are who their subject says, with the role of their principal or groups."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:  # noqa: ARG002 - allauth's signature
        return False

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Find or make the user of somebody whom the pool let in.

        Raises:
            ImmediateHttpResponse: they have no role here.
        """
        account = sociallogin.account
        claims = {**account.extra_data.get("userinfo", {}), **account.extra_data.get("id_token", {})}
        try:
            user = pool_people.user_of(claims)
        except pool_people.Stranger as stranger:
            sign_ins.note_stranger(request, str(claims.get("sub", "")))
            page = {"heading": stranger.title, "detail": stranger.detail}
            raise ImmediateHttpResponse(render(request, "console/error.html", page, status=403)) from None
        sociallogin.user = account.user = user
        account.extra_data = {}  # what the pool knows of a person stays there
        account.save()  # who signs in is recorded by the sign-in
