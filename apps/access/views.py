"""Base of all views of the API."""

from typing import ClassVar

from rest_framework.views import APIView

from apps.access.roles import Scope


class ApiView(APIView):
    """``required_scopes`` maps each method to the scope it needs; a method that is missing there is refused."""

    http_method_names = ["get", "head", "post", "put", "patch", "delete"]
    required_scopes: ClassVar[dict[str, Scope | frozenset[Scope]]] = {}
