"""Which media types a view answers in."""

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from apps.common.problems import CONTENT_TYPE, NotAcceptable

JSON = ("application/json",)
ANYTHING = ("*/*",)  # of a view that answers bytes of whatever type they have


class DeclaredNegotiation(DefaultContentNegotiation):
    """Admits what a view declares as ``produces``, and problem documents, which each may answer."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Choose how to answer.

        Raises:
            NotAcceptable: the caller accepts none of what the view answers.
        """
        context: Any = request.parser_context
        produces = getattr(context["view"], "produces", None)
        if produces is None:  # a view of another package, with renderers of its own
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, renderers, format_suffix)
            return chosen
        http: HttpRequest = request._request  # noqa: SLF001 - DRF shows it nowhere else
        if produces != ANYTHING and not any(http.accepts(name) for name in (*produces, CONTENT_TYPE)):
            raise NotAcceptable(f"Accept {', '.join(produces)}, or send no Accept at all.")
        renderer = next(iter(renderers))
        return renderer, renderer.media_type or ""
