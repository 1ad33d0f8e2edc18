"""What sessions and their stock add to the overview, and the page of the stock."""

from apps.sessions.console import judged, supply

__all__ = ["judged", "supply"]
