"""Reports in the console: list, page with its files, and the form that has one made."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from apps.access.console import actor_of
from apps.common.dynamodb import Page, Position
from apps.console import kept, people, render
from apps.console.actions import NoForm
from apps.console.details import Related
from apps.console.filters import day_filters
from apps.console.form_page import form_page
from apps.console.models import DisplayModel
from apps.console.render import column
from apps.console.store_admin import StoreAdmin, partial_of
from apps.reports import models, services
from apps.reports.forms import ReportForm
from apps.reports.records import Report, ReportUnsound

WHOLE = (services.PRINTED, services.SUMMARY)  # what most people open, before the entries of each day


SHOWN = 1000  # files of a report on its page


def _files_of(kept: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    """All files of a report; where its index is not the platform's, those that its row keeps."""
    try:
        return services.files_of(kept)
    except ReportUnsound:
        return kept


@admin.register(models.Report)
class ReportAdmin(StoreAdmin):
    section, place = "Audit", 2
    empty_text = "No reports yet. One is made automatically for each month; you can make others."
    id_pattern = r"\d{4}-\d\d-\d\d-to-\d{4}-\d\d-\d\d-[0-9a-f]{8}"
    search_fields = ("report_id",)
    search_help_text = "Exact report id"
    moment_field = "made_at"
    list_filter = day_filters()
    list_display = ("identity", "period", "counted", "made", "who")
    fieldsets = (
        (None, {"fields": ("period", "counted", "made", "maker")}),
        ("Files", {"fields": ("each",), "classes": ("whole",)}),
    )
    identity = column("report_id", render.code, "report")
    counted = column("entries", render.number, "entries of the trail")
    made = column("made_at", render.moment, "made")
    who = column("made_by", people.who, "asked for by")
    maker = column("made_by", people.who_whole, "asked for by")

    @admin.display(description="period (UTC)")
    def period(self, obj: models.Report) -> str:
        last = obj.until - services.DAY
        return f"{obj.since:%Y-%m-%d} to {last:%Y-%m-%d}"

    @admin.display(description="files")
    def each(self, obj: models.Report) -> Any:
        files = _files_of(obj.files)
        names = [*(name for name in WHOLE if name in files), *sorted(files.keys() - set(WHOLE))]
        rows = [
            (
                render.url_link(reverse("admin:reports_report_read", args=[obj.pk, name]), f"{name}…"),
                render.size(int(files[name]["size"])),
                render.copied(str(files[name]["sha256"])),
            )
            for name in names[:SHOWN]
        ]
        table = render.table(("File", "Size", "SHA-256"), rows)
        if len(names) <= SHOWN:
            return table
        return format_html("{}<p>{} more stand in {}.</p>", table, f"{len(names) - SHOWN:,}", services.INDEX)

    def as_display(self, record: Report) -> DisplayModel:
        return models.Report.of(record, files={name: dict(told) for name, told in record.files.items()})

    def page(
        self, request: HttpRequest, *, limit: int, position: Position | None, **filters: str
    ) -> Page[Report]:
        del request, filters
        return services.listed(limit=limit, position=position)

    def find(self, request: HttpRequest, object_id: str) -> Report:
        del request
        return services.find(object_id)

    def related_to(self, request: HttpRequest, obj: DisplayModel) -> Sequence[Related]:
        """Return the entries that the report is of."""
        if not isinstance(obj, models.Report):
            return ()
        days = {"since": f"{obj.since:%Y-%m-%d}", "until": f"{obj.until - services.DAY:%Y-%m-%d}"}
        entries = render.list_link(request.user, "audit.entry", "Audit entries of the period", **days)
        return [Related(title="Entries", note=entries)]

    def tools(self, request: HttpRequest) -> list[dict[str, str]]:
        if not self.allows(request, "make"):
            return []
        return [{"label": "Make a report", "url": reverse("admin:reports_report_make")}]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        return [
            path("make/", guard(partial_of(_make_view, self)), name="reports_report_make"),
            path(
                "<str:report_id>/read/<str:name>/",
                guard(partial_of(_read_view, self)),
                name="reports_report_read",
            ),
            *super().get_urls(),
        ]


@kept.keeps_what_was_typed
def _make_view(model_admin: ReportAdmin, request: HttpRequest) -> HttpResponse:
    """Have a report made by a job."""
    if not model_admin.allows(request, "make"):
        raise PermissionDenied

    def submit(form: ReportForm) -> HttpResponse:
        job = services.ask(actor=actor_of(request), **form.period())
        if not render.may_view(request.user, "jobs.job"):
            return HttpResponseRedirect(model_admin.list_url())
        return HttpResponseRedirect(reverse("admin:jobs_job_change", args=[job.job_id]))

    context = model_admin.page_context(request, "Make a report")
    intro = (
        "A job writes what was done in the period, by whom, what was refused, and how things stand: a page to print, a "
        "summary, and each day's entries as CSV and JSON lines. The trail keeps their digests."
    )
    return form_page(
        request, context, ReportForm, submit,
        intro=intro, button="Make the report", back_url=model_admin.list_url(), initial=ReportForm.last_month(),
    )  # fmt: skip


def _read_view(model_admin: ReportAdmin, request: HttpRequest, report_id: str, name: str) -> HttpResponse:
    """Give out the address of a report's file; the trail says to whom, before."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    report = model_admin.find_or_none(request, report_id)
    if report is None or name not in _files_of(report.files):
        raise Http404
    page = reverse("admin:reports_report_change", args=[report_id])
    context = model_admin.page_context(request, "Read a file of a report")

    def submit(_form: NoForm) -> HttpResponse:
        url = services.address_of(report_id, name, actor=actor_of(request))
        link = format_html('<a href="{}" rel="noreferrer" download>{}</a>', url, name)
        part = Related(title=name, note=link, more="The link works for five minutes, for whoever has it.")
        return TemplateResponse(request, "console/parts.html", context | {"parts": [part]})

    intro = f"The trail records that you read {name} of {report_id}."
    return form_page(request, context, NoForm, submit, intro=intro, button="Give me a link", back_url=page)
