"""When the person of a session last showed who they are."""

import time

from allauth.account.internal.flows.login import get_authentication_records
from django.conf import settings
from django.http import HttpRequest


def signed_in_lately(request: HttpRequest) -> bool:
    """Return whether the person of a session signed in, or confirmed who they are, within CONFIRM_SECONDS."""
    records = get_authentication_records(request, request.user)
    return bool(records) and time.time() - records[-1]["at"] < settings.CONFIRM_SECONDS
