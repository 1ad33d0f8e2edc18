"""Links by which people set their passwords."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.urls import reverse

from apps.access.users import User


def reset_link(user: User) -> str:
    """Return a link that sets a user's password, once, within an hour."""
    key = {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}
    origin = settings.BASE_URL.removesuffix(settings.FORCE_SCRIPT_NAME or "")
    return f"{origin}{reverse('account_reset_password_from_key', kwargs=key)}"
