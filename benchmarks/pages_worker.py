"""Opens the console's pages in the environment of a running platform: ``python -m benchmarks.pages_worker``.

Prints JSON: of each page the median of its times, the calls to AWS, and the bytes of it and of all that it loads.
"""

import json
import statistics
import time
from typing import Any

import django

django.setup()

from botocore.client import BaseClient
from django.conf import settings
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from apps.access.models import User
from apps.console import pages
from apps.console.store_admin import StoreAdmin
from tests.console.weights import whole_weight

TURNS = 9
calls: list[str] = []


def count_calls() -> None:
    """Keep the name of each call to AWS."""
    original = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001 - all calls pass here

    def counted(self: BaseClient, operation: str, arguments: object) -> object:
        calls.append(operation)
        return original(self, operation, arguments)

    BaseClient._make_api_call = counted  # type: ignore[attr-defined]  # noqa: SLF001 - likewise


def addresses() -> dict[str, str]:
    """The overview, each list and its second page's filter by owner, and the pages that are no list."""
    found = {"overview": reverse("admin:index"), "overview, renewed": reverse("admin:dashboard_data")}
    for model_admin in admin.site._registry.values():  # noqa: SLF001 - the side bar, whoever looks
        if isinstance(model_admin, StoreAdmin):
            found[str(model_admin.opts.verbose_name_plural)] = model_admin.list_url()
    files = found["files"]
    found["files of an owner"] = f"{files}?owner=service:00000000f1257000"
    found["files by name"] = f"{files}?name=document%201"
    found["audit entries of a file"] = f"{found['audit entries']}?file=00000000-0000-0000-0000-000000000001"
    return found | {f"page: {one.name}": one.url for one in pages._pages.values()}  # noqa: SLF001 - likewise


def measured(client: Client, name: str, url: str) -> dict[str, Any]:
    """Open a page some times; the first warms what a process keeps."""
    page = client.get(url)
    if page.status_code != 200:
        raise RuntimeError(f"{url} answers {page.status_code}.")
    walls, cpus = [], []
    for _ in range(TURNS):
        calls.clear()
        began, used = time.perf_counter(), time.process_time()
        page = client.get(url)
        walls.append(time.perf_counter() - began)
        cpus.append(time.process_time() - used)
    return {
        "name": name,
        "wall_ms": 1000 * statistics.median(walls),
        "cpu_ms": 1000 * statistics.median(cpus),
        "calls": len(calls),
        "html": len(page.content),
        "whole": whole_weight(page, url),
    }


def main() -> None:
    """Sign in as the first administrator, and open every page."""
    settings.ALLOWED_HOSTS = ["*"]
    client = Client()
    client.force_login(User.objects.filter(is_superuser=True).earliest("date_joined"))
    count_calls()
    print(json.dumps([measured(client, name, url) for name, url in addresses().items()]))


if __name__ == "__main__":
    main()
