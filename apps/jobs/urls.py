"""Addresses of jobs, below /api/v1/."""

from django.urls import path

from apps.jobs.api import JobCancellation, JobDetail, JobResults, Jobs

urlpatterns = [
    path("jobs", Jobs.as_view(), name="jobs"),
    path("jobs/<str:job_id>", JobDetail.as_view(), name="job"),
    path("jobs/<str:job_id>/results", JobResults.as_view(), name="job-results"),
    path("jobs/<str:job_id>/cancel", JobCancellation.as_view(), name="job-cancel"),
]
