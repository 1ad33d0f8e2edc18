"""Pages of signing in that are not allauth's own."""

from typing import Any

from allauth.account.views import PasswordResetView
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseNotAllowed


class Forgotten(PasswordResetView):
    """A forgotten password: a link by mail, or the way to an administrator where no mail is sent."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "POST" and not settings.EMAIL_HOST:
            return HttpResponseNotAllowed(["GET"])
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return answer

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "sends_mail": bool(settings.EMAIL_HOST)}
