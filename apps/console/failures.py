"""What services raise, told to the person at the console: a message or a page with the reason, never a bare 500."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from pynamodb.exceptions import PynamoDBException

from apps.common.errors import PlatformError
from apps.common.problems import as_problem
from apps.common.root_keys.interface import RootKeyUnavailable

log = logging.getLogger(__name__)
FAILURES = (PlatformError, PynamoDBException, BotoCoreError, ClientError, RootKeyUnavailable)


def problem_of(error: Exception) -> PlatformError:
    """The error as it may be told; what is ours to mend is logged with its causes."""
    problem = as_problem(error)
    if problem.status >= 500:
        log.error("the console could not do what was asked", exc_info=error)
    return problem


@contextmanager
def told(request: HttpRequest, *, about: str = "") -> Iterator[None]:
    """What a service refuses within the block becomes a message."""
    try:
        yield
    except FAILURES as error:
        detail = problem_of(error).detail
        messages.error(request, f"{about}: {detail}" if about else detail)


def explained(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view whose failures are a page that says what is wrong and what can be done."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except FAILURES as error:
            problem = problem_of(error)
            return render(
                request,
                "console/error.html",
                {"heading": problem.title, "detail": problem.detail},
                status=problem.status,
            )

    return guarded
