"""Reports in the background. A message carries the job's id only."""

from apps.audit.records import system
from apps.jobs.running import Work, job_task
from apps.reports import services
from apps.reports.job_kinds import ReportJob

REPORTER = system("reporter")


@job_task(ReportJob.COMPLIANCE, failure="The report could not be finished; ask for it again.")
def compliance(work: Work) -> bool:
    """Make a report a day at a time; a cancellation is seen after the day under way."""
    return services.make(work, actor=REPORTER)
