"""Applications of ETSI GS QKD 014 as tests play them, by the WSGI application and without a socket."""

import base64
import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

from apps.common import clock
from apps.kme import saes
from apps.kme.api.etsi014 import CERTIFICATE, application
from apps.kme.authority import Authority
from apps.kme.certificates import read_certificate
from apps.kme.records import Sae
from tests.conftest import TESTS

JSON = "application/json"


_NOW = clock.now  # a test that moves the clock may be the first of a process


@cache
def folder(prefix: str) -> TemporaryDirectory[str]:
    """A folder that goes with the process."""
    return TemporaryDirectory(prefix=prefix)


@cache
def authority() -> Authority:
    """One authority for all tests of a process: certificates take longer than most tests."""
    with mock.patch.object(clock, "now", _NOW):
        return Authority(Path(folder("kme-authority-").name))


@cache
def files(sae_id: str) -> tuple[Path, Path]:
    """The certificate of an application and its key; the authority's own are another's once it issues the name again."""
    with mock.patch.object(clock, "now", _NOW):
        made, place = authority().issue(sae_id), Path(folder("kme-applications-").name)
    return Path(copy(made, place)), Path(copy(made.with_suffix(".key"), place))


def certificate(sae_id: str) -> str:
    """The certificate of an application, in PEM."""
    return files(sae_id)[0].read_text()


@dataclass(frozen=True, slots=True)
class Answered:
    """What an application was answered."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def keys(self) -> list[tuple[str, bytes]]:
        """Ids and keys of a container."""
        assert self.status == 200, self.body
        return [(one["key_ID"], base64.b64decode(one["key"])) for one in self.body["keys"]]

    @property
    def ids(self) -> list[str]:
        return [key_id for key_id, _ in self.keys]


def ask(
    pem: str | None,
    method: str,
    path: str,
    body: Any = None,
    *,
    query: str = "",
    kind: str = JSON,
    **more: str,
) -> Answered:
    """Call the application as a server does that has verified a certificate."""
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(content)),
        "CONTENT_TYPE": kind,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.input": io.BytesIO(content),
        **({CERTIFICATE: pem} if pem is not None else {}),
        **more,
    }
    told: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]], _error: Any = None, /) -> Any:
        told.update(status=int(status[:3]), headers=dict(headers))

    (answer,) = application(environ, start)
    assert told["headers"]["Content-Type"] == JSON
    assert method == "HEAD" or told["headers"]["Content-Length"] == str(len(answer))
    return Answered(told["status"], json.loads(answer) if answer else None, told["headers"])


@dataclass(frozen=True, slots=True)
class Application:
    """A registered application."""

    sae: Sae
    pem: str

    def call(self, method: str, action: str, peer: str, body: Any = None, **more: Any) -> Answered:
        return ask(self.pem, method, f"/api/v1/keys/{peer}/{action}", body, **more)

    def status(self, peer: str) -> Answered:
        return self.call("GET", "status", peer)

    def enc_keys(self, peer: str, **asked: Any) -> Answered:
        return self.call("POST", "enc_keys", peer, asked)

    def dec_keys(self, peer: str, *key_ids: str) -> Answered:
        return self.call("POST", "dec_keys", peer, {"key_IDs": [{"key_ID": one} for one in key_ids]})


def an_application(sae_id: str, *peers: str, **chosen: Any) -> Application:
    """Register an application by its certificate."""
    pem = certificate(sae_id)
    known_by: dict[str, Any] = (
        # Of the certificate that it shows: the authority may have given out another under this name since
        {} if "subject" in chosen else {"fingerprints": (read_certificate(pem).fingerprint,)}
    )
    made = saes.register(sae_id, name=sae_id, peers=peers, actor=TESTS, **known_by, **chosen)
    return Application(made, pem)
