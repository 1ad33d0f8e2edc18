"""The console: Django's admin site with an overview of its own."""

from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.text import slugify

from apps.console import dashboard
from apps.console.failures import explain_failures

SECTIONS = ("Quantum keys", "Encryption", "Oversight", "Access")
PEOPLE = "auth"  # Django's own app of users and groups


class ConsoleSite(AdminSite):
    site_header = site_title = "Quantum-safe key management"
    index_title = "Overview"
    site_url = None  # there is no other site to view
    index_template = "console/dashboard.html"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        data = path("dashboard/data/", self.admin_view(self.dashboard_data), name="dashboard_data")
        return [data, *super().get_urls()]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002, RUF100 - Django's signature
        return super().admin_view(explain_failures(view), cacheable)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context = {"panels": dashboard.load_panels(request), "refresh_seconds": dashboard.REFRESH_SECONDS}
        return super().index(request, context | (extra_context or {}))

    def dashboard_data(self, request: HttpRequest) -> HttpResponse:
        """Return the current overview, for its live refresh."""
        return JsonResponse(dashboard.as_json(request))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the lists grouped by what operators look for, not by Django app."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        sections: dict[str, list[Any]] = {}
        for app in apps:
            for model in app["models"]:
                sections.setdefault(self._section(app, model), []).append(model)
        ordered = sorted(
            sections, key=lambda name: (SECTIONS.index(name) if name in SECTIONS else len(SECTIONS), name)
        )
        return [
            {
                "name": name,
                "app_label": slugify(name),
                "app_url": "",
                "has_module_perms": True,
                "models": sorted(sections[name], key=self._place),
            }
            for name in ordered
        ]

    def _section(self, app: Any, model: Any) -> str:
        if app["app_label"] == PEOPLE:
            return "Access"
        return getattr(self._registry[model["model"]], "section", "") or str(app["name"])

    def _place(self, model: Any) -> tuple[int, str]:
        return getattr(self._registry[model["model"]], "place", 99), str(model["name"])
