"""What stands in the tables and buckets, for tests that ask whether anything changed or leaked."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.conf import settings

from apps.audit.tagging import tag_row
from apps.common.aws import client
from apps.common.dynamodb import Page, Table, all_tables, pages

TRAIL = {"EntryTable", "HeadTable"}

RecordT = TypeVar("RecordT")


def every(page: Callable[..., Page[RecordT]], **asked: Any) -> list[RecordT]:
    """Every record of a list, whatever the number of pages: a first page alone may lack the one that a test is about."""
    found = pages(lambda position: page(limit=100, position=position, **asked))
    return [record for one in found for record in one.records]


def rows(name: str) -> list[dict[str, Any]]:
    """Every item of a table, as DynamoDB keeps it."""
    return sorted(client("dynamodb").scan(TableName=name)["Items"], key=str)


def save(row: Table[RecordT]) -> RecordT:
    """Write a row as the platform would, though without an entry; return its record."""
    tag_row(row)
    row.save()
    return row.record()


def tamper(table: type[Table[Any]], key: dict[str, Any], **changed: dict[str, Any] | None) -> None:
    """Change attributes of a row as somebody would who may write the table; None removes one."""
    name, dynamodb = table.Meta.table_name, client("dynamodb")
    item = dynamodb.get_item(TableName=name, Key=key, ConsistentRead=True)["Item"] | changed
    dynamodb.put_item(TableName=name, Item={field: value for field, value in item.items() if value})


def everything(*, but: set[str] = TRAIL) -> dict[str, Any]:
    """Every item of every table, and every version of every object; the audit trail left out unless asked for."""
    state: dict[str, Any] = {
        table.Meta.table_name: rows(table.Meta.table_name)
        for table in all_tables()
        if table.__name__ not in but
    }
    for bucket in (settings.UPLOADS_BUCKET, settings.ENCRYPTED_BUCKET, settings.DOWNLOADS_BUCKET):
        state[bucket] = [(o["Key"], o["VersionId"]) for o in versions(bucket)]
    return state


def versions(bucket: str) -> list[dict[str, Any]]:
    """Every version of every object of a bucket."""
    found = client("s3").list_object_versions(Bucket=bucket)
    return [dict(version) for version in found.get("Versions", [])]
