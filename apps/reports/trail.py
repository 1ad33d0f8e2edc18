"""What the trail records about reports."""

from apps.audit.records import Event


class ReportEvent(Event):
    """Entries about one report."""

    MADE = "report.made", "A report was made; the details have the digest of each of its files."
    READ = "report.read", "The address of a report's file was given out."
