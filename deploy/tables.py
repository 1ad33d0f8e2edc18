"""``python -m deploy.tables``: writes tables, scopes, metrics and the analytics export's columns to build/*.json for the stacks.

What the PynamoDB models say of the tables, and what the apps declare, has one definition.

The stacks have an environment of their own, without Django: these files are the seam, written anew by `make check-infra`
and `make deploy`.
"""

import json
import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "qkdplatform.settings")
django.setup()

from apps.access.roles import all_scopes
from apps.common.dynamodb import all_tables
from apps.exports import analytics
from apps.metrics.pages import as_documents
from apps.stack import uv

FILE = uv.ROOT / "build" / "tables.json"
SCOPES = FILE.with_name("scopes.json")
METRICS = FILE.with_name("metrics.json")
ANALYTICS = FILE.with_name("analytics.json")


def tables() -> list[dict[str, Any]]:
    """Return each table: its name without the prefix, keys, types of key attributes, indexes, time to live, stream."""
    return sorted((_table(table) for table in all_tables()), key=lambda made: str(made["name"]))


def _table(table: Any) -> dict[str, Any]:
    schema = table._get_schema()  # noqa: SLF001 - what create_table sends
    types = _types(schema["attribute_definitions"])
    indexes = []
    for index in schema["global_secondary_indexes"]:
        types |= _types(index["attribute_definitions"])
        projection = index["projection"]
        indexes.append(
            {
                "name": index["index_name"],
                **_keys(index["key_schema"]),
                "projection": projection["ProjectionType"],
                "attributes": projection.get("NonKeyAttributes", []),
            }
        )
    return {
        "name": table.short_name(),
        **_keys(schema["key_schema"]),
        "types": dict(sorted(types.items())),
        "indexes": sorted(indexes, key=lambda made: str(made["name"])),
        "ttl": "ttl" if "ttl" in table.get_attributes() else None,
        "stream": getattr(table.Meta, "stream_view_type", None),
    }


def _types(definitions: list[dict[str, str]]) -> dict[str, str]:
    return {
        d.get("AttributeName") or d["attribute_name"]: d.get("AttributeType") or d["attribute_type"]
        for d in definitions
    }


def _keys(schema: list[dict[str, str]]) -> dict[str, str | None]:
    by_type = {key["KeyType"]: key["AttributeName"] for key in schema}
    return {"hash": by_type["HASH"], "range": by_type.get("RANGE")}


def text() -> str:
    """Return the file's content."""
    return json.dumps(tables(), indent=1) + "\n"


def main() -> None:
    """Write the files."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
    METRICS.write_text(json.dumps(as_documents(), indent=1) + "\n", encoding="utf-8")
    ANALYTICS.write_text(json.dumps(analytics.as_documents(), indent=1) + "\n", encoding="utf-8")
    SCOPES.write_text(json.dumps(sorted(all_scopes())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
