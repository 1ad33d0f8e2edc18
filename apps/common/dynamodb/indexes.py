"""Global secondary indexes, and what all tables share."""

from typing import Any

from django.conf import settings
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex, KeysOnlyProjection, Projection


def index(
    name: str,
    partition: str,
    *,
    order: tuple[str, type[Attribute[Any]]] = ("sort", UnicodeAttribute),
    projection: Projection | None = None,
) -> GlobalSecondaryIndex[Any]:
    """Make a global secondary index.

    Args:
        name: the index's name.
        partition: the attribute that partitions it.
        order: the attribute that orders it, and its type.
        projection: what it holds; whole rows by default.
    """
    attributes = {
        "Meta": type("Meta", (), {"index_name": name, "projection": projection or AllProjection()}),
        partition: UnicodeAttribute(hash_key=True),
        order[0]: order[1](range_key=True),
    }
    made: GlobalSecondaryIndex[Any] = type("Index", (GlobalSecondaryIndex,), attributes)()
    return made


def keys_index(
    name: str, partition: str, *, order: tuple[str, type[Attribute[Any]]] = ("sort", UnicodeAttribute)
) -> GlobalSecondaryIndex[Any]:
    """Make an index that holds keys only (decision 28): written where a row enters, leaves or moves, and never else."""
    return index(name, partition, order=order, projection=KeysOnlyProjection())


def meta(name: str, **extra: Any) -> Any:
    """Make a table's PynamoDB ``Meta``: the prefixed name, and what all tables share."""
    shared = {
        "table_name": f"{settings.TABLE_PREFIX}-{name}",
        "region": settings.AWS_REGION,
        "billing_mode": PAY_PER_REQUEST_BILLING_MODE,
    }
    return type("Meta", (), shared | extra)
