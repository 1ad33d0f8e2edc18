"""The engine beside its peers: the same inputs, one after the other in one run, one core each.

Each peer is installed from PyPI into a virtual environment of its own under the user's cache. One that cannot be
installed has a row that says so.
"""

import json
import os
import subprocess
import venv
from dataclasses import astuple, dataclass
from pathlib import Path

from benchmarks.report import table
from qkd import bb84, channel, speed
from qkd.attacks import NoAttack
from qkd.channel import Channel
from qkd.finite_key import binary_entropy
from qkd.randomness import Randomness

QBERS = (0.01, 0.02, 0.03, 0.05, 0.08, 0.11)
FRAME_BITS = 1 << 16
FRAMES = 64
PEER_SECONDS = 120
"""A peer gets no longer than this for one figure."""

CASCADE_QKD = """
import json, sys, time
from qkd.reconcile import Cascade, run_cascade
qber, frame, frames = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cfg = Cascade(frame=frame, variant="nearoptimal")
run_cascade(qber, frames=1, cfg=cfg)
before = time.process_time()
leak, residual = run_cascade(qber, frames=frames, cfg=cfg)
print(json.dumps({"seconds": time.process_time() - before, "leak": leak * frames, "failed": residual}))
"""

PULSES_SEQUENCE = """
import json, time
from sequence.components.optical_channel import ClassicalChannel, QuantumChannel
from sequence.kernel.timeline import Timeline
from sequence.qkd.BB84 import pair_bb84_protocols
from sequence.topology.node import QKDNode
import numpy as np
milliseconds = 20
timeline = Timeline(milliseconds * 1e9)
alice, bob = QKDNode("alice", timeline, stack_size=1), QKDNode("bob", timeline, stack_size=1)
alice.set_seed(0), bob.set_seed(1)
pair_bb84_protocols(alice.protocol_stack[0], bob.protocol_stack[0])
for name, one, other in (("ab", alice, bob), ("ba", bob, alice)):
    fibre = QuantumChannel("q" + name, timeline, attenuation=2e-4, distance=50_000, polarization_fidelity=0.985)
    fibre.set_ends(one, other.name)
    ClassicalChannel("c" + name, timeline, distance=50_000).set_ends(one, other.name)
timeline.init()
alice.protocol_stack[0].push(10_000, 1, milliseconds * 1e9)
before = time.process_time()
timeline.run()
seconds = time.process_time() - before
frequency = next(c for c in alice.components.values() if type(c).__name__ == "LightSource").frequency
print(json.dumps({"pulses": frequency * milliseconds / 1e3, "seconds": seconds}))
"""

SESSION_QKDPY = """
import json, time
from qkdpy import BB84, QuantumChannel
channel = QuantumChannel(length=0.0, loss=0.0, noise_model="depolarizing", noise_level=0.02) \
    if "length" in QuantumChannel.__init__.__code__.co_varnames else \
    QuantumChannel(loss=0.0, noise_model="depolarizing", noise_level=0.02)
protocol = BB84(channel, key_length=256)
before = time.process_time()
result = protocol.execute()
print(json.dumps({"seconds": time.process_time() - before, "bits": len(result.get("final_key", []))}))
"""


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    software: str
    value: str


def peer(package: str, cache: Path) -> Path | str:
    """The Python of a peer's own environment, made if there is none; or why there can be none."""
    home = cache / package
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        found = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", package], capture_output=True, text=True, check=False
        )
        if found.returncode:
            return "not obtainable"
    return python


def figures(python: Path | str, script: str, *arguments: object) -> dict[str, float] | str:
    """What a peer's script printed, or why there is nothing."""
    if isinstance(python, str):
        return python
    # Isolated: from here "qkd" would be this engine, not its namesake on PyPI.
    command = [str(python), "-I", "-c", script, *map(str, arguments)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=PEER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no result in {PEER_SECONDS} s"
    if found.returncode:
        return f"failed: {found.stderr.strip().splitlines()[-1]}"
    measured: dict[str, float] = json.loads(found.stdout.strip().splitlines()[-1])
    return measured


def reconciliation(cache: Path) -> list[Row]:
    """Cascade on frames of 2^16 with exactly the stated part of errors."""
    rows = []
    python = peer("qkd", cache)
    bits = FRAME_BITS * FRAMES
    for qber in QBERS:
        what = f"Cascade, 2^16, QBER {qber:.0%}"
        shannon = bits * binary_entropy(qber)
        theirs = figures(python, CASCADE_QKD, qber, FRAME_BITS, FRAMES)
        if isinstance(theirs, str):
            rows.append(Row(what, "qkd (PyPI)", theirs))
        else:
            rate = bits / max(1e-9, theirs["seconds"]) / 1e6
            shown = f"{rate:6.1f} Mbit/s  f = {theirs['leak'] / shannon:.4f}"
            rows.append(Row(what, "qkd (PyPI)", shown))
        for kernel in ("numba", "numpy"):
            seconds, result = speed.reconciled(kernel, qber, FRAME_BITS, bits)
            shown = f"{bits / seconds / 1e6:6.1f} Mbit/s  f = {result.leaked_bits / shannon:.4f}"
            rows.append(Row(what, f"this engine, {kernel}", f"{shown}  {result.round_trips:,} round trips"))
    seconds, result = speed.reconciled("numba", 0.02, FRAME_BITS, bits, low_latency=True)
    shown = f"{bits / seconds / 1e6:6.1f} Mbit/s  f = {result.leaked_bits / bits / binary_entropy(0.02):.4f}"
    rows.append(
        Row("… low latency, 2 %", "this engine, numba", f"{shown}  {result.round_trips:,} round trips")
    )
    return rows


def simulation(cache: Path) -> list[Row]:
    """Pulses over 50 km, and a whole session of 256 bits."""
    what = "pulses at 50 km"
    theirs = figures(peer("sequence", cache), PULSES_SEQUENCE)
    shown = theirs if isinstance(theirs, str) else f"{theirs['pulses'] / theirs['seconds']:.2e} /s"
    rows = [Row(what, "SeQUeNCe", shown)]
    pulses, randomness = 3 * 10**9, Randomness(1)
    for link in (channel.preset("metro_50km"), channel.preset("lim2014")):
        number = pulses if link.has_decoys else pulses // 10
        seconds = speed.cpu_seconds(lambda: bb84.transmit(number, link, NoAttack(), randomness))  # noqa: B023 - called at once
        rows.append(Row(what, f"this engine, {link.name}", f"{number / seconds:.2e} /s"))
    what = "qubits without loss, QBER 2 %"
    theirs = figures(peer("qkdpy", cache), SESSION_QKDPY)
    shown = theirs if isinstance(theirs, str) else f"{theirs['seconds']:.3f} s for {theirs['bits']:.0f} bits"
    rows.append(Row(what, "qkdpy, a session of 256 bits", shown))
    lossless = Channel.from_error_rate(0.02)
    seconds = speed.cpu_seconds(lambda: bb84.transmit(10**7, lossless, NoAttack(), randomness))
    rows.append(Row(what, "this engine", f"{10**7 / seconds:.2e} qubits/s"))
    return rows


def main() -> None:
    """Measure everything and print the table."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "qkd-benchmark"
    rows = simulation(home) + reconciliation(home)
    table("The engine beside its peers", ["what", "software", "figure"], [astuple(row) for row in rows])


if __name__ == "__main__":
    main()
