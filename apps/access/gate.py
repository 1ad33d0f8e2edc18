"""What stands before the console in every process, and imports the console's guard when somebody comes to it."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from apps.common.middleware import API

if TYPE_CHECKING:
    from apps.access.console.guard import ConsoleGuard


class ConsoleGate:
    """Leaves to the guard what is neither the API's nor a stranger's: a cold start of the API needs no console."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return self.get_response(request)
        return self._guard(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Let the guard explain what failed on its own pages."""
        return None if request.path_info.startswith(API) else self._guard.explain(request, exception)

    @cached_property
    def _guard(self) -> "ConsoleGuard":
        from apps.access.console.guard import ConsoleGuard  # noqa: PLC0415 - see above

        return ConsoleGuard(self.get_response)
