"""Failures of services as messages or pages that give the reason, never a bare 500."""

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
    """Return the error as it may be shown; server errors are logged with their causes."""
    problem = as_problem(error)
    if problem.status >= 500:
        log.error("console request failed", exc_info=error)
    return problem


@contextmanager
def tell_failures(request: HttpRequest, *, about: str = "") -> Iterator[None]:
    """Show failures of services within the block as messages."""
    try:
        yield
    except FAILURES as error:
        detail = problem_of(error).detail
        messages.error(request, f"{about}: {detail}" if about else detail)


def explain_failures(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Wrap a view so that failures become a page that says what is wrong and what to do."""

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
