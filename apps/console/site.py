"""The console: Django's admin site with an overview, a search box, and pages of its own."""

from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.text import slugify

from apps.common import health
from apps.console import dashboard, finding, kept, once, pages
from apps.console.failures import explain_failures

SECTIONS = ("Quantum", "Keys", "Files", "Operations", "Audit", "Access")
PEOPLE = "auth"  # Django's own app of users and groups


class ConsoleSite(AdminSite):
    site_header = site_title = "Quantum-safe key management"
    index_title = "Overview"
    site_url = None  # there is no other site to view
    index_template = "console/dashboard.html"

    def get_urls(self) -> list[URLResolver | URLPattern]:
        return [
            path("dashboard/data/", self.admin_view(self.dashboard_data), name="dashboard_data"),
            path("health/", self.admin_view(self.health_view), name="health"),
            path("find/", self.admin_view(self.find_view), name="find"),
            path("page/<slug:name>/", self.admin_view(self.page_view), name="page"),
            *super().get_urls(),
        ]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002, RUF100 - Django's signature
        inner = super().admin_view(explain_failures(view), cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            answer: HttpResponse = inner(request, *args, **kwargs)
            if request.method == "POST" and not self.has_permission(request):
                return kept.remember(request, answer)  # signed out meanwhile: what was typed is not lost
            return answer

        return guarded

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        context = {
            "panels": dashboard.load_panels(request),
            "refresh_seconds": dashboard.REFRESH_SECONDS,
            "once": once.new_token(),
        }
        return super().index(request, context | (extra_context or {}))

    def dashboard_data(self, request: HttpRequest) -> HttpResponse:
        """Return the current overview, for its live refresh."""
        return JsonResponse(dashboard.as_json(request))

    def health_view(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002 - Django's signature
        """Tell which parts of the platform do not answer, for the dot in the header."""
        failing = [check.name for check in health.readiness() if not check.ok]
        return JsonResponse({"ok": not failing, "failing": failing})

    def find_view(self, request: HttpRequest) -> HttpResponse:
        """Go to the record of an id, or show those whose name begins with what was typed."""
        text = request.GET.get("q", "").strip()
        hits = finding.find(request, text, self._registry)
        if len(hits) == 1:
            return HttpResponseRedirect(hits[0].url)
        context = {**self.each_context(request), "title": "Find", "find_text": text, "hits": hits}
        return TemplateResponse(request, "console/found.html", context)

    def page_view(self, request: HttpRequest, name: str) -> HttpResponse:
        """Show a page that an app registered."""
        page = pages.find(name)
        if page is None:
            raise Http404
        if not request.user.has_perm(page.permission):
            raise PermissionDenied
        return page.view(request, {**self.each_context(request), "title": page.title, "page": page})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return the lists and pages grouped by what operators look for, not by Django app."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        sections: dict[str, list[Any]] = {}
        for app in apps:
            for model in app["models"]:
                sections.setdefault(self._section(app, model), []).append(
                    model | {"place": self._place(model)}
                )
        for page in pages.permitted(request):
            sections.setdefault(page.section, []).append(_as_model(page))
        addresses = [str(model["admin_url"]) for models in sections.values() for model in models]
        here = max((one for one in addresses if request.path.startswith(one)), key=len, default="")
        for model in (one for models in sections.values() for one in models):
            model["is_current"] = model["admin_url"] == here
        ordered = sorted(
            sections, key=lambda name: (SECTIONS.index(name) if name in SECTIONS else len(SECTIONS), name)
        )
        return [
            {
                "name": name,
                "app_label": slugify(name),
                "app_url": "",
                "has_module_perms": True,
                "models": sorted(sections[name], key=lambda model: (int(model["place"]), str(model["name"]))),
            }
            for name in ordered
        ]

    def _section(self, app: Any, model: Any) -> str:
        if app["app_label"] == PEOPLE:
            return "Access"
        return getattr(self._registry[model["model"]], "section", "") or str(app["name"])

    def _place(self, model: Any) -> int:
        return int(getattr(self._registry[model["model"]], "place", 99))


def _as_model(page: pages.ConsolePage | pages.Shortcut) -> dict[str, Any]:
    """A page, as the side bar's template takes a model."""
    return {
        "name": page.title,
        "object_name": page.name,
        "admin_url": page.url,
        "add_url": None,
        "view_only": True,
        "perms": {},
        "place": page.place,
    }
