"""The client as a library: one object for a server and an API key, with the things of the API as its attributes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qkdclient import patience
from qkdclient.access import ApiKeys, Grants, Principals
from qkdclient.announcing import File
from qkdclient.api import Api
from qkdclient.calling import Operations, Part
from qkdclient.catalogue import generic
from qkdclient.data_keys import DataKeys
from qkdclient.file_keys import KeyCache
from qkdclient.files import Files
from qkdclient.keys import Approvals, Keys, Pools, Rotations
from qkdclient.messages import Messages
from qkdclient.operations import Audit, Jobs
from qkdclient.pace import Pace
from qkdclient.reports import Reports
from qkdclient.resources import Item
from qkdclient.sessions import Detections, Sessions
from qkdclient.sync import Sync


class Client:
    """The platform, for the holder of one API key. Safe to use from several threads.

    Every method raises ``Problem`` where the platform refuses, and ``Unreachable`` where it gives no answer for
    ``retry_seconds``. A request whose answer was lost is sent again under the same idempotency key.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        retry_seconds: float = patience.SECONDS,
        bytes_per_second: int | None = None,
        cached_keys: int = 0,
        tell: Callable[[str], object] = patience.nobody,
    ) -> None:
        """Make a client; nothing is sent yet.

        Args:
            url: of the platform.
            api_key: of a service or a person.
            retry_seconds: how long each request is tried.
            bytes_per_second: the most that all transfers together use.
            cached_keys: of so many files, keys that were given for decryption here are kept in memory for ten minutes,
                and as many data keys; reading such a file again asks for no key, and leaves no further audit entry.
            tell: is called with a sentence where trying takes long.
        """
        api = Api(url, api_key, retry_seconds=retry_seconds, tell=tell)
        self.files = Files(api, api_key, Pace(bytes_per_second), KeyCache(cached_keys))
        self.sync = Sync(api, api_key, self.files)
        self.messages, self.sessions, self.detections = Messages(api), Sessions(api), Detections(api)
        self.keys, self.approvals, self.rotations = Keys(api), Approvals(api), Rotations(api)
        self.data_keys, self.pools = DataKeys(api, KeyCache(cached_keys)), Pools(api)
        self.grants, self.principals, self.api_keys = Grants(api), Principals(api), ApiKeys(api)
        self.jobs, self.audit, self.reports = Jobs(api), Audit(api), Reports(api)
        self._api = api

    @property
    def operations(self) -> Operations:
        """Every operation of the API, by its name in the schema."""
        return Operations(self._api)

    def __getattr__(self, name: str) -> Part:
        """A part of the API that only the catalogue knows, such as ``links``."""
        group = name.replace("_", "-")
        if name.startswith("_") or group not in {known for known, _ in generic()}:
            raise AttributeError(f"The API has no {name}.")
        return Part(self._api, group)

    def whoami(self) -> Item:
        """Who the API key makes you: principal, role, groups, and the key's own limits."""
        found: Item = self._api.call("GET", "whoami")
        return found

    def upload(self, path: str | os.PathLike[str], **options: Any) -> File:
        """Upload a file; short for ``files.upload``."""
        return self.files.upload(path, **options)

    def download(self, file_id: str, output: str | os.PathLike[str] | None = None, **options: Any) -> Path:
        """Download a file; short for ``files.download``."""
        return self.files.download(file_id, output, **options)
