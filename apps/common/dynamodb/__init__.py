"""What every DynamoDB table here shares: attribute types, tables, indexes, feeds and pages."""

from apps.common.dynamodb.attributes import (
    DocumentAttribute,
    EnumAttribute,
    ObjectAttribute,
    PackedAttribute,
    TimeAttribute,
    WordsAttribute,
)
from apps.common.dynamodb.connection import connection, forget_connection
from apps.common.dynamodb.feeds import (
    BEGINNING,
    Page,
    Position,
    Span,
    authentic,
    count,
    feed,
    misplaced,
    page,
    pages,
    partition_key,
    partitions,
    shards,
    sort_key,
    whole,
)
from apps.common.dynamodb.indexes import index, keys_index, meta
from apps.common.dynamodb.tables import Table, all_tables, find_together, is_key

__all__ = [
    "BEGINNING",
    "DocumentAttribute",
    "EnumAttribute",
    "ObjectAttribute",
    "PackedAttribute",
    "Page",
    "Position",
    "Span",
    "Table",
    "TimeAttribute",
    "WordsAttribute",
    "all_tables",
    "authentic",
    "connection",
    "count",
    "feed",
    "find_together",
    "forget_connection",
    "index",
    "is_key",
    "keys_index",
    "meta",
    "misplaced",
    "page",
    "pages",
    "partition_key",
    "partitions",
    "shards",
    "sort_key",
    "whole",
]
