"""Reports are made by jobs."""

from apps.jobs.kinds import JobKind


class ReportJob(JobKind):
    """Jobs that make reports."""

    COMPLIANCE = (
        "compliance_report",
        "Makes the report of a period.",
        "reports.compliance",
        "days",
        "Ask for the report again; one of the same period takes its place.",
    )
