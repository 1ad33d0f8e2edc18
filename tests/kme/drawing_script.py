"""A process that serves applications: each draws keys at the same moment, in a thread of its own, again and again.

``python -m tests.kme.drawing_script <folder of certificates> <draws> <keys a draw> <sae> …`` says that it is ready, waits
for a line, and prints a line of JSON for each answer: the application, the ids, and the SHA-256 of each key.
"""

import hashlib
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django

django.setup()

PRINTING = threading.Lock()


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def draw(folder: Path, sae_id: str, draws: int, number: int) -> None:
    from tests.kme.saes import ask

    pem = (folder / f"{sae_id}.pem").read_text()
    done = 0
    while done < draws:
        answer = ask(pem, "POST", "/api/v1/keys/sae-bob/enc_keys", {"number": number})
        if answer.status == 503:  # others held all blocks for as long as a request may wait
            continue
        digests = [hashlib.sha256(key).hexdigest() for _, key in answer.keys]
        with PRINTING:
            say(json.dumps([sae_id, answer.ids, digests]))
        done += 1


def main() -> None:
    folder, draws, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    saes = sys.argv[4:]
    say("ready")
    sys.stdin.readline()
    with ThreadPoolExecutor(len(saes)) as pool:
        for done in [pool.submit(draw, folder, sae_id, draws, number) for sae_id in saes]:
            done.result()


if __name__ == "__main__":
    main()
