"""Addresses of cases, below /api/v1/."""

from django.urls import path

from apps.cases.api import (
    AffectedKeys,
    CaseAcknowledgement,
    CaseClosure,
    CaseDetail,
    CaseNotes,
    CaseQuarantine,
    CaseRelease,
    Cases,
)

CASE = "cases/<str:case_id>"
urlpatterns = [
    path("cases", Cases.as_view(), name="cases"),
    path(CASE, CaseDetail.as_view(), name="case"),
    path(f"{CASE}/acknowledge", CaseAcknowledgement.as_view(), name="case-acknowledge"),
    path(f"{CASE}/close", CaseClosure.as_view(), name="case-close"),
    path(f"{CASE}/quarantine", CaseQuarantine.as_view(), name="case-quarantine"),
    path(f"{CASE}/release", CaseRelease.as_view(), name="case-release"),
    path(f"{CASE}/notes", CaseNotes.as_view(), name="case-notes"),
    path(f"{CASE}/affected-keys", AffectedKeys.as_view(), name="case-affected-keys"),
]
