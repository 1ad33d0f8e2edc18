"""Other software, each in an environment of its own, asked for one figure at a time.

What is on PyPI is installed there, once, under the user's cache. Two are not: a checkout of cascade-python is taken
from ``CASCADE_PYTHON``, the ``run_experiments`` program of cascade-cpp, made as its README says, from ``CASCADE_CPP``.
Whatever is not there has a row that says so.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

VERSIONS = {"qkd": "0.2.0", "sequence": "0.8.5", "qkdpy": "0.8.0"}

PEER_SECONDS = 180
"""A peer gets no longer than this for one figure."""

Figures = dict[str, float] | str
"""What was measured, or why there is nothing."""

CASCADE_QKD = """
import json, sys, time
from qkd.reconcile import Cascade, run_cascade
qber, frame, frames = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cfg = Cascade(frame=frame, variant="nearoptimal")
run_cascade(qber, frames=1, cfg=cfg)
best = 1e9
for _ in range(3):
    before = time.process_time()
    leak, failed = run_cascade(qber, frames=frames, cfg=cfg)
    best = min(best, time.process_time() - before)
print(json.dumps({"seconds": best, "parities": leak * frames, "failed": failed, "bits": frame * frames}))
"""

CASCADE_PYTHON = """
import json, sys, time
sys.path.insert(0, sys.argv[4])
from cascade.key import Key
from cascade.mock_classical_channel import MockClassicalChannel
from cascade.reconciliation import Reconciliation
qber, frame, frames = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
seconds = parities = failed = 0
for _ in range(frames):
    correct = Key.create_random_key(frame)
    noisy = correct.copy(qber, Key.ERROR_METHOD_EXACT)
    before = time.process_time()
    reconciliation = Reconciliation("option8", MockClassicalChannel(correct), noisy, qber)
    failed += correct.difference(reconciliation.reconcile()) > 0
    seconds += time.process_time() - before
    parities += reconciliation.stats.ask_parity_blocks
print(json.dumps({"seconds": seconds, "parities": parities, "failed": failed, "bits": frame * frames}))
"""

PULSES_SEQUENCE = """
import json, time
from sequence.components.optical_channel import ClassicalChannel, QuantumChannel
from sequence.kernel.timeline import Timeline
from sequence.qkd.BB84 import pair_bb84_protocols
from sequence.topology.node import QKDNode
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
channel = QuantumChannel(
    distance=0.0, loss=0.0, dark_count_rate=0.0, detector_efficiency=1.0, misalignment_error=0.0,
    phase_fluctuation_rate=0.0, polarization_drift_rate=0.0, noise_model="depolarizing", noise_level=0.02,
)
protocol = BB84(channel, key_length=256)
before = time.process_time()
result = protocol.execute()
print(json.dumps({"seconds": time.process_time() - before, "bits": len(result.get("final_key", []))}))
"""


def cache() -> Path:
    """Where the peers' environments are."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "qkd-benchmark"


def from_pypi(package: str, script: str, *arguments: object) -> Figures:
    """What a script prints in the environment of a package, which is made if there is none."""
    home = cache() / f"{package}-{VERSIONS[package]}"
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        wanted = f"{package}=={VERSIONS[package]}"
        command = [str(python), "-m", "pip", "install", "--quiet", wanted]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            return "not obtainable"
    return _run(str(python), script, *arguments)


def cascade_python(qber: float, frame_bits: int, frames: int) -> Figures:
    """Cascade option 8 of a checkout of cascade-python."""
    place = os.environ.get("CASCADE_PYTHON")
    if place is None:
        return "not on PyPI: name a checkout in CASCADE_PYTHON"
    return _run(sys.executable, CASCADE_PYTHON, qber, frame_bits, frames, place)


def cascade_cpp(qber: float, frame_bits: int, frames: int) -> Figures:
    """Cascade option 8 of cascade-cpp's program for experiments."""
    program = os.environ.get("CASCADE_CPP")
    if program is None:
        return "not on PyPI: name its run_experiments in CASCADE_CPP"
    with tempfile.TemporaryDirectory() as folder:
        wanted = {
            "independent_variable": "error_rate",
            "algorithm": ["option8"],
            "error_rate": [qber],
            "key_size": frame_bits,
            "runs": frames,
        }
        experiments = Path(folder) / "experiments.json"
        experiments.write_text(json.dumps([wanted]))
        command = [program, "-d", "-s", "1", "-o", folder, str(experiments)]
        try:
            subprocess.run(command, capture_output=True, timeout=PEER_SECONDS, check=True)
        except subprocess.TimeoutExpired:
            return f"no result in {PEER_SECONDS} s"
        found = json.loads(next(Path(folder).glob("data__*")).read_text())
    return {
        "seconds": found["elapsed_process_time"]["average"] * frames,
        "parities": found["ask_parity_blocks"]["average"] * frames,
        "failed": found["remaining_frame_error_rate"]["average"] * frames,
        "bits": frame_bits * frames,
    }


def _run(python: str, script: str, *arguments: object) -> Figures:
    # Isolated: from here "qkd" would be this engine, not its namesake on PyPI.
    command = [python, "-I", "-c", script, *map(str, arguments)]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=PEER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no result in {PEER_SECONDS} s"
    if found.returncode:
        return f"failed: {found.stderr.strip().splitlines()[-1]}"
    measured: dict[str, float] = json.loads(found.stdout.strip().splitlines()[-1])
    return measured
