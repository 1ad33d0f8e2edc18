"""Runs in the platform's environment: scans the tables for what no invariant allows, and for what is stuck; prints JSON."""

import json
import sys
from collections import Counter
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402

from apps.common import aws  # noqa: E402
from apps.files.store import FileTable  # noqa: E402
from apps.jobs.store import JobTable  # noqa: E402
from apps.keys.store import PoolKeyTable, RotationTable  # noqa: E402
from apps.sessions.store import FinalKeyTable, QuantumKeyTable, SessionTable  # noqa: E402


def rows(table: Any) -> list[dict[str, Any]]:
    pages = aws.client("dynamodb").get_paginator("scan").paginate(TableName=table.Meta.table_name)
    return [{k: next(iter(v.values())) for k, v in item.items()} for page in pages for item in page["Items"]]


def main() -> None:
    sessions = {row["session_id"]: row for row in rows(SessionTable)}
    finals = {row["session_id"]: row for row in rows(FinalKeyTable)}
    pool = {row["key_id"]: row for row in rows(PoolKeyTable)}
    quantum = rows(QuantumKeyTable)
    files = rows(FileTable)
    used = Counter(row["subject"] + row["key_id"] for row in quantum)
    problems = [f"I3 {name}" for name, times in used.items() if times > 1]
    by_file = Counter(row["quantum_key_id"] for row in files if row.get("quantum_key_id"))
    problems += [f"I3 quantum key {name} is in {n} files" for name, n in by_file.items() if n > 1]
    for row in files:
        if row.get("status") != "encrypted":
            continue
        session = row["quantum_key_id"].rpartition(".")[0]
        if session not in sessions or session not in finals:
            problems.append(f"I5 the session of file {row['file_id']} is gone")
        elif "ttl" in finals[session] or "ttl" in sessions[session]:
            problems.append(f"I5 the session of file {row['file_id']} expires")
        if pool.get(row["pool_key_id"], {}).get("state") not in {
            "active",
            "rotation_queued",
            "expired",
            "revoked",
            "suspended",
        }:
            problems.append(f"I5 the pool key of file {row['file_id']} is gone")
    states = Counter(row["state"] for row in quantum)
    uploads = aws.client("s3").list_object_versions(Bucket=settings.UPLOADS_BUCKET).get("Versions", [])
    waiting = [row["file_id"] for row in files if row.get("status") == "awaiting_upload"]
    stuck = {
        "jobs": [r["job_id"] for r in rows(JobTable) if r["state"] in {"queued", "running"}],
        "rotations": [r["rotation_id"] for r in rows(RotationTable) if r["status"] != "done"],
        "uploads": [o["Key"] for o in uploads if o["Key"].rpartition("/")[2] in waiting],
    }
    counted = {"sessions": len(sessions), "quantum keys": dict(states), "files": len(files)}
    sys.stdout.write(json.dumps({"problems": problems, "stuck": stuck, "counted": counted}))


main()
