"""Child processes: one-shot tools with their output in a log, and workers that answer JSON lines."""

import json
import os
import selectors
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from benchmarks.peers.environments import isolated_variables

TOOL_SECONDS = 600.0
REPLY_SECONDS = 300.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Done:
    """A finished tool: whether it succeeded, and in one line how it ended."""

    succeeded: bool
    reason: str


def run_logged(command: list[str], log: Path, cwd: Path | None = None, timeout: float = TOOL_SECONDS) -> Done:
    """Runs `command` to its end with stdout and stderr in the file `log`."""
    with log.open("wb") as sink:
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT,
                cwd=cwd, timeout=timeout, check=False,
            ).returncode  # fmt: skip
        except subprocess.TimeoutExpired:
            return Done(False, f"no end after {timeout:.0f} s")
    return Done(code == 0, ending(code, log))


def ending(code: int, log: Path) -> str:
    """How a process ended, with the last line that it wrote: 'SIGSEGV: ...', 'exit 1: ...'."""
    how = signal.Signals(-code).name if code < 0 else f"exit {code}"
    text = log.read_text(errors="replace") if log.exists() else ""
    last = text.strip().splitlines()[-1:]
    return f"{how}: {last[0][:200]}" if last else how


class WorkerError(RuntimeError):
    """A worker reported an error, died or did not answer; the message is the reason for the table."""


class Worker:
    """A `worker.py` running `adapter` under the interpreter `python`, with room for `threads` threads.

    It is confined to that many CPUs. Between requests it may be paused: thread pools that spin while they wait for
    work would slow the other contenders down. An answer that takes longer than `patience` seconds is an error.
    """

    def __init__(self, python: Path, adapter: str, threads: int, log: Path, patience: float = REPLY_SECONDS) -> None:
        self._log = log
        self._patience = patience
        inherited = os.environ if python == Path(sys.executable) else isolated_variables()
        variables = {**inherited, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
        allowed = os.sched_getaffinity(0)
        os.sched_setaffinity(0, choose_cpus(threads, allowed))  # inherited, so that it holds from the first thread on
        try:
            with log.open("wb") as sink:
                # -P: the script's directory is no place to find a peer's modules in.
                self._process = subprocess.Popen(
                    [str(python), "-P", str(Path(__file__).parent / "worker.py"), adapter],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink, env=variables,
                )  # fmt: skip
        finally:
            os.sched_setaffinity(0, allowed)
        self._buffer = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, command: str, **arguments: object) -> dict[str, Any]:
        """Sends one command and returns the reply. Raises WorkerError."""
        line = json.dumps({"command": command, **arguments}) + "\n"
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError:
            raise WorkerError(self._death()) from None
        reply = json.loads(self._read_line(command))
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply

    def pause(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends the process; what it was doing does not matter any more."""
        self._process.kill()
        self._process.communicate()

    def chatter(self) -> str:
        """What the peer printed so far."""
        return self._log.read_text(errors="replace")

    def _read_line(self, command: str) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                if not selector.select(self._patience):
                    raise WorkerError(f"no answer to '{command}' after {self._patience:.0f} s")
                data = os.read(self._process.stdout.fileno(), 1 << 16)
                if not data:
                    raise WorkerError(self._death())
                self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _death(self) -> str:
        return ending(self._process.wait(), self._log)


def choose_cpus(threads: int, allowed: set[int]) -> set[int]:
    """The CPUs for a worker with `threads` threads: the last ones, as the first serves the system's interrupts."""
    return set(sorted(allowed)[-threads:])
