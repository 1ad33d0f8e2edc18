"""What the processes of a link send each other beside the engine's own messages: JSON and bytes, each with its length."""

import json
import socket
import ssl
import struct
import time
from collections.abc import Mapping
from typing import Any

from apps.kme.certificates import read_certificate
from apps.kme.records import NotAuthorised
from qkdseal import JsonInvalid, read_json

VERSION = 1  # of the first message of a session, and of the quantum channel's
MOST_JSON = 16_384
MOST_BYTES = 1 << 26  # the notes of 2^24 clicks
_LENGTH = struct.Struct(">I")


class Broken(Exception):
    """The other end is gone, silent, not who it should be, or says what it should not. The message has no key."""


def send(connection: socket.socket, content: bytes) -> None:
    """Send bytes with their length.

    Raises:
        Broken: the other end does not take them.
    """
    try:
        connection.sendall(_LENGTH.pack(len(content)) + content)
    except OSError as error:
        raise Broken(f"nothing could be sent: {error}") from error


def receive(connection: socket.socket, most: int) -> bytes:
    """Read bytes that were sent with their length, within the connection's time-out for all of them.

    Raises:
        Broken: they do not come, or are more than ``most``.
    """
    patience = connection.gettimeout()
    ends = None if patience is None else time.monotonic() + patience
    try:
        (length,) = _LENGTH.unpack(_read(connection, _LENGTH.size, ends))
        if length > most:
            raise Broken("a message is longer than it may be")
        return _read(connection, length, ends)
    except OSError as error:
        raise Broken(f"nothing came: {error}") from error
    finally:
        connection.settimeout(patience)


def _read(connection: socket.socket, size: int, ends: float | None) -> bytes:
    parts: list[bytes] = []
    while size:
        if ends is not None:
            left = ends - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            connection.settimeout(left)
        part = connection.recv(min(size, 1 << 20))
        if not part:
            raise Broken("the other end hung up")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def send_document(connection: socket.socket, document: Mapping[str, Any]) -> None:
    """Send an object as JSON."""
    send(connection, json.dumps(dict(document)).encode())


def receive_document(connection: socket.socket) -> dict[str, Any]:
    """Read an object.

    Raises:
        Broken: none came.
    """
    try:
        found = read_json(receive(connection, MOST_JSON).decode("utf-8"))
    except (JsonInvalid, UnicodeDecodeError):
        raise Broken("a message is no JSON") from None
    if not isinstance(found, dict):
        raise Broken("a message is no object")
    return found


def name_of(connection: ssl.SSLSocket) -> str:
    """The common name of the certificate that the other end showed.

    Raises:
        Broken: it showed none.
    """
    shown = connection.getpeercert(binary_form=True)
    try:
        return read_certificate(ssl.DER_cert_to_PEM_cert(shown) if shown else "").common_name
    except NotAuthorised as error:
        raise Broken(error.detail) from error


def connect(address: tuple[str, int], context: ssl.SSLContext, *, seconds: float) -> ssl.SSLSocket:
    """Connect with certificates of both sides.

    Raises:
        Broken: there is nobody, or the certificates are not accepted.
    """
    try:
        plain = socket.create_connection(address, timeout=seconds)
        try:
            return context.wrap_socket(plain, server_hostname=address[0])
        except OSError:
            plain.close()
            raise
    except OSError as error:
        raise Broken(f"{address[0]}:{address[1]} cannot be reached: {error}") from error
