"""Whether a port is free, and who has it when it is not."""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any

import psutil


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """The process that listens on a port, in words; empty where the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:  # macOS tells only the administrator
        return ""
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        if listens and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.NoSuchProcess:
                return ""
    return ""


def json_of(host: str, port: int, path: str, headers: Mapping[str, str]) -> dict[str, Any] | None:
    """The JSON object that a server on this machine answers with; None where it answers with none."""
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path, headers=dict(headers))
        found = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found if isinstance(found, dict) else None


def status_of(
    host: str, port: int, path: str, *, host_header: str | None = None, seconds: float = 5.0
) -> int | None:
    """The HTTP status that a server on this machine answers with; None where nothing answers in time."""
    connection = http.client.HTTPConnection(
        host, port, timeout=seconds
    )  # no proxy, whatever the environment says
    try:
        connection.request("GET", path, headers={"Host": host_header} if host_header else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
