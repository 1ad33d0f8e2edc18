"""Addresses of reports, below /api/v1/."""

from django.urls import path

from apps.reports.api import ReportDetail, ReportFile, Reports

urlpatterns = [
    path("reports", Reports.as_view(), name="reports"),
    path("reports/<str:report_id>", ReportDetail.as_view(), name="report"),
    path("reports/<str:report_id>/files/<str:name>", ReportFile.as_view(), name="report-file"),
]
