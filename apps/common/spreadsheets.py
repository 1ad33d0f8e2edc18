"""Values as cells of a CSV file that somebody opens in a spreadsheet."""

from typing import Any

FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")  # a spreadsheet computes what begins so


def cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula.

    >>> cell("=1+1")
    "'=1+1"
    >>> cell(-3)
    -3
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULAS) else value
