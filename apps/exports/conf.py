"""Settings of what leaves the platform as files."""

from apps.common.environment import Section

section = Section("Exports")

EXPORTS_BUCKET = section.text(
    "EXPORTS_BUCKET",
    "qkd-{stage}-exports",
    about="The bucket of reports and of the trail's export for a SIEM.",
)
SIEM_EXPORT = section.flag(
    "SIEM_EXPORT",
    default=False,
    about="Write every entry of the trail to `siem/` of EXPORTS_BUCKET, as JSON lines in the names of ECS; from the first entry on.",
)
ANALYTICS_EXPORT = section.flag(
    "ANALYTICS_EXPORT",
    default=False,
    about="Write sessions, verdicts, usage and cases to `analytics/` of EXPORTS_BUCKET, by table and day, for Athena; from the first entry on.",
)
