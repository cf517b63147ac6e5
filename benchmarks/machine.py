"""What this machine can do at most: f32 multiply-adds and reads from each level of memory.

    python -m benchmarks.machine

A kernel's speed says little alone; its share of the smaller of these two ceilings does (Williams et al., Roofline,
CACM 2009). Both are measured, since a virtual machine's clock and share of the memory bus are nowhere to be read.
"""

import ctypes
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from threading import Barrier
from time import perf_counter

from benchmarks.cache import cache_directory

SOURCE = Path(__file__).parent / "native" / "machine.c"
LEVELS = ("L1", "L2", "L3", "DRAM")
FALLBACK_BYTES = {"L1": 32 << 10, "L2": 512 << 10, "L3": 8 << 20}  # where sysfs does not tell
REPEATS = 5
SLICE_SECONDS = 0.05


@dataclass(frozen=True)
class Peak:
    """Ceilings for `threads` threads together: GFLOP/s in f32, and GB/s read per level of memory."""

    threads: int
    gflops: float
    read: dict[str, float]


@dataclass(frozen=True)
class Machine:
    """A CPU: its name, the f32 lanes of a register, the bytes of a core's caches, and its peaks by thread count."""

    cpu: str
    lanes: int
    caches: dict[str, int]
    peaks: tuple[Peak, ...]

    def peak(self, threads: int) -> Peak | None:
        return next((peak for peak in self.peaks if peak.threads == threads), None)

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def measure(thread_counts: tuple[int, ...]) -> Machine:
    """Measures for each number of threads; about 2 s each. Raises RuntimeError if the native part does not compile."""
    library = _library()
    caches = cache_sizes()
    peaks = tuple(_measure_peak(library, threads, caches) for threads in thread_counts)
    return Machine(_cpu_name(), library.machine_lanes(), caches, peaks)


def _measure_peak(library: ctypes.CDLL, threads: int, caches: dict[str, int]) -> Peak:
    def fma(iterations: int) -> float:
        return library.machine_fma(iterations, ctypes.byref(ctypes.c_float()))

    gflops = _best_sum([fma] * threads, _calibrated(fma))
    read: dict[str, float] = {}
    for level, size in working_sets(caches, threads).items():
        buffers = [_aligned_buffer(size) for _ in range(threads)]
        readers = [_reader(library, address, size) for _, address in buffers]
        read[level] = _best_sum(readers, _calibrated(readers[0]))
    return Peak(threads, gflops, read)


def working_sets(caches: dict[str, int], threads: int) -> dict[str, int]:
    """Bytes for one thread to read so that they come from each level: half of a cache, and much more than L3.

    L3 is shared, so the threads divide it; L1 and L2 belong to a core.
    """
    sets = {
        "L1": caches["L1"] // 2,
        "L2": caches["L2"] // 2,
        "L3": max(caches["L3"] // 2 // threads, caches["L2"] * 2),
        "DRAM": max(4 * caches["L3"], 256 << 20) // threads,
    }
    return {level: size // 4096 * 4096 for level, size in sets.items()}


def cache_sizes(directory: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> dict[str, int]:
    """Bytes of the data caches that the first core sees, as Linux tells."""
    sizes = dict(FALLBACK_BYTES)
    for index in sorted(directory.glob("index*")):
        if (index / "type").read_text().strip() == "Instruction":
            continue
        level = "L" + (index / "level").read_text().strip()
        size = (index / "size").read_text().strip()
        if level in sizes and size.endswith("K"):
            sizes[level] = int(size[:-1]) << 10
    return sizes


def _reader(library: ctypes.CDLL, address: int, size: int) -> Callable[[int], float]:
    return lambda passes: library.machine_read(address, size, passes)


def _aligned_buffer(size: int) -> tuple[ctypes.Array[ctypes.c_char], int]:
    """A written buffer (its keeper, its page-aligned address): untouched pages would all be the one zero page."""
    keeper = ctypes.create_string_buffer(size + 4096)
    address = (ctypes.addressof(keeper) + 4095) // 4096 * 4096
    ctypes.memset(address, 1, size)
    return keeper, address


def _calibrated(work: Callable[[int], float]) -> int:
    """How many iterations of `work` take about SLICE_SECONDS; doubling also warms the clock and the caches up."""
    count = 1
    while True:
        start = perf_counter()
        work(count)
        elapsed = perf_counter() - start
        if elapsed > SLICE_SECONDS / 2:
            return max(1, int(count * SLICE_SECONDS / elapsed))
        count *= 2


def _best_sum(workers: list[Callable[[int], float]], count: int) -> float:
    """The best of some repeats of the rates of all workers, running at the same time, added up."""
    barrier = Barrier(len(workers))

    def synchronised(worker: Callable[[int], float]) -> float:
        barrier.wait()
        return worker(count)  # ctypes releases the interpreter's lock

    with ThreadPoolExecutor(len(workers)) as pool:
        return max(sum(pool.map(synchronised, workers)) for _ in range(REPEATS))


@cache
def _library() -> ctypes.CDLL:
    digest = hashlib.sha256(SOURCE.read_bytes() + _cpu_name().encode()).hexdigest()[:12]
    path = cache_directory("native") / f"machine-{digest}.so"
    if not path.exists():
        partial = path.with_suffix(f".{os.getpid()}")
        flags = ["-O3", "-march=native", "-shared", "-fPIC"]
        command = [sys.executable, "-m", "ziglang", "cc", *flags, str(SOURCE), "-o", str(partial)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
        partial.replace(path)
    library = ctypes.CDLL(str(path))
    library.machine_fma.argtypes = (ctypes.c_int64, ctypes.c_void_p)
    library.machine_fma.restype = ctypes.c_double
    library.machine_read.argtypes = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    library.machine_read.restype = ctypes.c_double
    return library


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def describe(machine: Machine) -> str:
    """The measurements as a plain table."""
    caches = ", ".join(f"{level} {size >> 10} KiB" for level, size in machine.caches.items())
    lines = [f"{machine.cpu}, {machine.lanes} f32 lanes, {caches}"]
    lines.append("threads  GFLOP/s" + "".join(f"{level + ' GB/s':>12}" for level in LEVELS))
    for peak in machine.peaks:
        reads = "".join(f"{peak.read[level]:12.1f}" for level in LEVELS)
        lines.append(f"{peak.threads:7}{peak.gflops:9.1f}{reads}")
    return "\n".join(lines)


def main() -> None:
    cores = len(os.sched_getaffinity(0))
    print(describe(measure(tuple(sorted({1, cores})))))


if __name__ == "__main__":
    main()
