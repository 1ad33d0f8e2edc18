"""Settings of access to the API."""

from apps.common.environment import Section

section = Section("Access")

API_KEY_PEPPER = section.text(
    "API_KEY_PEPPER", secret=True, about="The key of the hashes that API keys are kept as."
)
