"""What everybody has used of their quotas, for whoever watches them: a few Queries for each principal that has one."""

from collections.abc import Callable

from apps.access import principals
from apps.access.quotas import Month, limited_month
from apps.common.dynamodb import pages
from apps.common.sweeps import each

PAGE = 100


def each_month(do: Callable[[Month], None]) -> int:
    """Do something with this month of every principal; returns how many there were."""
    found = {
        principal.principal_id: principal
        for page in pages(lambda at: principals.principals_page(limit=PAGE, position=at))
        for principal in page.records
    }
    return each(list(found), lambda name: do(limited_month(found[name])))
