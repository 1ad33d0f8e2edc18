"""The KME on a socket: mutual TLS, revoked certificates, slow clients, and the public client of the standard (E10)."""

import base64
import json
import os
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from etsi_qkd_014_client import QKD014Client

from apps.kme import authority as authorities
from apps.kme.api.server import Identity, make_server
from apps.kme.authority import Authority
from tests import requirement
from tests.kme.saes import an_application, authority, files
from tests.waiting import LIMIT_SECONDS


@dataclass(frozen=True, slots=True)
class Served:
    """A KME that runs."""

    folder: Path
    port: int

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, action: str, peer: str = "sae-bob") -> str:
        return f"https://{self.host}/api/v1/keys/{peer}/{action}"

    def shown(self, sae_id: str) -> tuple[str, str]:
        pem, key = files(sae_id)
        return str(pem), str(key)

    def client(self, sae_id: str) -> QKD014Client:
        pem, key = self.shown(sae_id)
        return QKD014Client(self.host, pem, key, str(self.folder / "ca.pem"))

    def get(self, sae_id: str, action: str = "status", **more):
        return requests.get(
            self.url(action),
            cert=self.shown(sae_id),
            verify=str(self.folder / "ca.pem"),
            timeout=LIMIT_SECONDS,
            headers={"Connection": "close"},
            **more,
        )


@pytest.fixture
def kme(keys, alice, bob, monkeypatch) -> Iterator[Served]:
    folder = authority().folder
    authority().issue(authorities.KME, hosts=("127.0.0.1", "localhost"))
    identity = Identity(
        folder / "kme.pem", folder / "kme.key", folder / "ca.pem", folder / authorities.REVOKED
    )
    server = make_server("127.0.0.1", 0, identity)
    monkeypatch.setattr(
        server, "error_log", lambda *_, **__: None
    )  # of clients that hang up in their handshake
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield Served(folder, server.bind_addr[1])
    finally:
        server.stop()
        thread.join(LIMIT_SECONDS)


@requirement("E10")
def test_the_public_client_of_the_standard_gets_what_it_asks_for(kme, alice, bob):
    master, slave = kme.client("sae-alice"), kme.client("sae-bob")
    code, status = master.get_status("sae-bob")
    assert (code, status.stored_key_count, status.key_size) == (200, 256, 256)
    code, plain = master.get_key("sae-bob")
    assert (code, len(plain.keys), len(base64.b64decode(plain.keys[0].key))) == (200, 1, 32)
    code, given = master.get_key("sae-bob", number=3, size=128)
    assert (code, len(given.keys)) == (200, 3)
    code, collected = slave.get_key_with_key_IDs("sae-alice", [one.key_id for one in given.keys])
    assert code == 200
    assert [(one.key_id, one.key) for one in collected.keys] == [(one.key_id, one.key) for one in given.keys]
    code, error = master.get_key("sae-bob", size=100)
    assert (code, error.message) == (400, "size shall be a multiple of 8")
    code, error = slave.get_key("sae-alice")
    assert (code, bool(error.message)) == (401, True)
    code, error = slave.get_key_with_key_IDs("sae-alice", [given.keys[0].key_id])
    assert (code, error.message) == (400, "one or more keys specified are not found on KME")


@requirement("E10")
def test_without_a_certificate_there_is_no_connection(kme):
    with pytest.raises(requests.ConnectionError):
        requests.get(kme.url("status"), verify=str(kme.folder / "ca.pem"), timeout=LIMIT_SECONDS)


@requirement("E10")
def test_a_certificate_of_another_authority_gets_no_connection(kme, tmp_path):
    Authority(tmp_path / "other").issue("sae-alice")
    with pytest.raises(requests.ConnectionError):
        requests.get(
            kme.url("status"),
            cert=(str(tmp_path / "other/sae-alice.pem"), str(tmp_path / "other/sae-alice.key")),
            verify=str(kme.folder / "ca.pem"),
            timeout=LIMIT_SECONDS,
        )


@requirement("E10")
def test_a_certificate_that_was_taken_back_gets_no_connection_without_a_restart(kme, aws):
    an_application("sae-dismissed", "sae-bob")
    assert kme.get("sae-dismissed").status_code == 200
    authority().revoke("sae-dismissed")
    revoked = authority().folder / authorities.REVOKED
    os.utime(revoked, (revoked.stat().st_atime, revoked.stat().st_mtime + 1))  # it may be of the same tick
    with pytest.raises(requests.ConnectionError):
        kme.get("sae-dismissed")
    assert kme.get("sae-alice").status_code == 200


@requirement("E10")
def test_old_versions_of_tls_and_plain_http_get_no_answer(kme):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("DEFAULT:@SECLEVEL=0")  # or it would not even try
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that is what is tried
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection(("127.0.0.1", kme.port), LIMIT_SECONDS) as plain,
        pytest.raises(ssl.SSLError, match=r"(?i)protocol|version|alert|unsupported"),
    ):
        old.wrap_socket(plain)
    with socket.create_connection(("127.0.0.1", kme.port), LIMIT_SECONDS) as plain:
        plain.sendall(b"GET /api/v1/keys/sae-bob/status HTTP/1.1\r\nHost: x\r\n\r\n")
        plain.settimeout(LIMIT_SECONDS)
        assert b"stored_key_count" not in _rest(plain)
    assert kme.get("sae-alice").status_code == 200


def _rest(plain: socket.socket) -> bytes:
    try:
        return plain.recv(4096)
    except ConnectionResetError:
        return b""


@requirement("E10")
def test_clients_that_are_silent_keep_nobody_waiting(kme):
    silent = [socket.create_connection(("127.0.0.1", kme.port), LIMIT_SECONDS) for _ in range(8)]
    try:
        assert kme.get("sae-alice").status_code == 200
    finally:
        for one in silent:
            one.close()


@requirement("E10")
def test_several_requests_of_one_connection_are_each_authorised(kme, alice):
    from apps.kme import saes
    from tests.conftest import TESTS

    with requests.Session() as session:
        session.trust_env = False
        session.cert, session.verify = kme.shown("sae-alice"), str(kme.folder / "ca.pem")
        assert session.get(kme.url("status"), timeout=LIMIT_SECONDS).status_code == 200
        assert session.post(kme.url("enc_keys"), json={"number": 2}, timeout=LIMIT_SECONDS).status_code == 200
        chunks = session.post(
            kme.url("enc_keys"),
            data=iter([b'{"num', b'ber": 2}']),
            headers={"Content-Type": "application/json"},
            timeout=LIMIT_SECONDS,
        )
        assert (chunks.status_code, len(chunks.json()["keys"])) == (200, 2)
        saes.revoke("sae-alice", reason="x", actor=TESTS)
        refused = session.get(kme.url("status"), timeout=LIMIT_SECONDS)
        assert (refused.status_code, refused.headers["Content-Type"]) == (401, "application/json")
        assert json.loads(refused.content)["message"]
