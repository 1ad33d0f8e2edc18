"""A file as it is stored, kept offline: its ciphertext and its envelope. ``qkdseal`` opens them with the two keys."""

import json
from collections.abc import Callable
from pathlib import Path

from qkdclient.announcing import File
from qkdclient.api import Api
from qkdclient.errors import Broken, Damaged
from qkdclient.names import own_name, shown
from qkdclient.patience import Patience
from qkdclient.targets import Target, part_of

READ_BYTES = 2**20


def keep(api: Api, file: File, folder: Path) -> dict[str, str]:
    """Write ``<name>.body`` and ``<name>.envelope.json`` into a folder, and return their paths.

    Raises:
        Exists: one of them is there already.
        Damaged: what came is not as long as what is stored.
    """
    package = api.call("GET", f"files/{file['file_id']}/package")
    name = own_name(file["name"], otherwise=file["file_id"])
    body, envelope = Target(folder / f"{name}.body"), Target(folder / f"{name}.envelope.json")
    for target in (body, envelope):
        target.check()
    place = {"server": api.server, "file_id": f"{file['file_id']} as stored", "version": file["version"]}
    with part_of(body, **place) as part:
        part.keep(0)
        done = fetch(api, package["url"], part.write)
        if done != file["ciphertext_size"]:
            part.remove()
            raise Damaged(f"Only {done} bytes came of {shown(file['name'])}, as it is stored. Keep it again.")
        part.publish(body)
    with part_of(envelope, **place) as part:
        part.keep(0)
        part.write(json.dumps(package["envelope"]).encode())
        part.publish(envelope)
    return {"body": str(body.path), "envelope": str(envelope.path)}


def fetch(api: Api, url: str, write: Callable[[bytes], object]) -> int:
    """Write all bytes behind a URL, and return how many those are; broken connections are taken up."""
    done, tries = 0, Patience()
    while True:
        try:
            with api.get(url, start=done) as answer:
                while piece := answer.read(READ_BYTES):
                    write(piece)
                    done += len(piece)
                    tries = Patience()
        except Broken as broken:
            if not tries.pause(str(broken)):
                raise
        else:
            return done
