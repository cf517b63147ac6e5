"""The process in which one peer runs one model. Executed with the peer's own interpreter:

    python -P worker.py MODULE:CLASS        (an Adapter)

Reads JSON lines, answers each with one JSON line:

    {"command": "load", "path": FILE, "threads": N, "inputs": NPZ}   -> {"milliseconds": load time}
    {"command": "run", "runs": K, "warmup": W}                       -> {"milliseconds": [K numbers]}
    {"command": "output", "inputs": NPZ, "save": NPZ}                -> {"shape": [...]}; output0 in the file
    {"command": "memory"}                                            -> {"peak": bytes, "baseline": bytes}
    {"command": "quit"}                                              -> {}

A failure is {"error": TEXT}. Imports nothing but the standard library, numpy, and the peer through its adapter.
"""

import ctypes
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

# Behind everything else: the repository's folders must not shadow a peer's modules.
sys.path.append(str(Path(__file__).resolve().parents[2]))

from benchmarks.peers.adapter import Adapter, Array, read_arrays, save_arrays

PR_SET_PDEATHSIG = 1


class Session:
    """The state between commands: an adapter and the arrays it runs on. Each method is a command."""

    def __init__(self, adapter: str) -> None:
        self._name = adapter
        self._adapter: Adapter | None = None
        self._inputs: list[Array] = []
        self._baseline = peak_resident_bytes()

    def load(self, path: str, threads: int, inputs: str) -> dict[str, Any]:
        self._inputs = read_arrays(Path(inputs))
        module, _, name = self._name.partition(":")
        start = time.perf_counter()
        adapter: Adapter = getattr(importlib.import_module(module), name)()
        adapter.load(Path(path), threads, self._inputs)
        self._adapter = adapter
        return {"milliseconds": 1e3 * (time.perf_counter() - start)}

    def run(self, runs: int, warmup: int = 0) -> dict[str, Any]:
        adapter = self._loaded()
        for _ in range(warmup):
            adapter.run(self._inputs)
        times: list[float] = []
        for _ in range(runs):
            start = time.perf_counter_ns()
            adapter.run(self._inputs)
            times.append(1e-6 * (time.perf_counter_ns() - start))
        return {"milliseconds": times}

    def output(self, inputs: str, save: str) -> dict[str, Any]:
        result = self._loaded().run(read_arrays(Path(inputs)))
        save_arrays(Path(save), [result], "output")
        return {"shape": list(result.shape)}

    def memory(self) -> dict[str, Any]:
        return {"peak": peak_resident_bytes(), "baseline": self._baseline}

    def _loaded(self) -> Adapter:
        if self._adapter is None:
            raise RuntimeError("no model is loaded")
        return self._adapter


def peak_resident_bytes() -> int:
    """The largest resident set so far. Not getrusage's: that one inherits the parent's peak across fork."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    # A harness that is killed while this process is paused could not end it: have the kernel do it.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Engines print on stdout, from C++ too: keep the real one for replies, and let theirs go to stderr.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    session = Session(sys.argv[1])
    for line in sys.stdin:
        request = json.loads(line)
        command = request.pop("command")
        reply: dict[str, Any] = {}
        if command != "quit":
            try:
                reply = getattr(session, command)(**request)
            except Exception as error:
                text = (str(error).strip().splitlines() or ["no message"])[0]
                reply = {"error": f"{type(error).__name__}: {text[:300]}"}
        print(json.dumps(reply), file=replies, flush=True)
        if command == "quit":
            return


if __name__ == "__main__":
    main()
