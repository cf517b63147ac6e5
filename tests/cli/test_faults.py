"""What can go wrong around a compilation: clear messages, the right exit code, nothing left behind, never a traceback."""

from __future__ import annotations

import os
import random
import resource
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cocomp.cli import _shell
from cocomp.runtime.loader import load
from cocomp.runtime.manifest import ArtifactError
from cocomp.support.mlir import ir
from cocomp.support.passes import State
from tests.conftest import ROOT, Capture, Tool, interrupt, run_tool

COMPILE = [sys.executable, "-m", "cocomp.cli.cocompc"]


def without_traceback(done: Tool) -> bool:
    return "Traceback" not in done.err + done.out


# ---- where nothing can be written ----


def test_output_to_a_full_device(tool: Capture, models: Path, here: Path):
    done = tool("cocompc", models / "residual.pt2", "-o", "/dev/full")
    assert done.code == 1
    assert done.err == "cocompc: error: /dev/full: cannot write: No space left on device\n"
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_output_to_a_device_does_not_replace_it(tool: Capture, models: Path, here: Path):
    assert tool("cocompc", models / "residual.pt2", "-o", "/dev/null").code == 0
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def limited(size: int) -> Callable[[], None]:
    """Files of more than `size` bytes cannot be written: like a full disk, but for everybody."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [512, 8 << 10])
def test_disk_is_full(models: Path, here: Path, size: int):
    """A header fits into the larger limit, the library does not: neither is left."""
    (here / "temporary").mkdir()
    done = subprocess.run(
        [*COMPILE, str(models / "residual.mlir"), "-o", "out.so"], cwd=here, capture_output=True, text=True, check=False,
        preexec_fn=limited(size), env={**os.environ, "TMPDIR": str(here / "temporary")},
    )  # fmt: skip
    assert done.returncode in (1, 70)
    assert "Traceback" not in done.stderr
    assert [p.name for p in here.iterdir()] == ["temporary"]


def test_library_does_not_fit(here: Path):
    """Saving alone meets the limit."""
    code = (
        "import sys, pathlib; from cocomp.artifact import Artifact; Artifact(b'x' * 10000, 'header', {}).save('out.so')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False, preexec_fn=limited(4096)
    )
    assert "CompileError: out.so: cannot write: File too large" in done.stderr
    assert not list(here.iterdir())


def test_full_disk_of_temporary_files(monkeypatch: pytest.MonkeyPatch, tool: Capture, models: Path, here: Path):
    """A linker that dies on a full disk may say nothing at all."""
    import shutil

    from cocomp.targets import library

    monkeypatch.setattr(library, "zig", lambda *_: [sys.executable, "-c", "raise SystemExit(1)"])
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 0))
    done = tool("cocompc", models / "residual.pt2")
    assert done.code == 1
    assert "cannot write temporary files: No space left on device" in done.err


UNWRITABLE = [
    (("-o", "no/such/out.so"), "no/such: cannot write: no such directory"),
    (("-o", "."), ".: cannot write: it is a directory"),
    (("-o", "file/out.so"), "file: cannot write: no such directory"),
    (("--report=no/such/r.json",), "no/such: cannot write: no such directory"),
    (("--dump-ir=file",), "file: cannot write: File exists"),
    (("--compile-to=fused", "-o", "no/such/m.mlir"), "no/such: cannot write: no such directory"),
]


@pytest.mark.parametrize(("arguments", "message"), UNWRITABLE, ids=[" ".join(u[0]) for u in UNWRITABLE])
def test_unwritable(tool: Capture, models: Path, here: Path, arguments: tuple[str, ...], message: str):
    (here / "file").write_text("")
    done = tool("cocompc", models / "residual.pt2", *arguments)
    assert done.code == 1
    assert message in done.err
    assert [p.name for p in here.iterdir()] == ["file"]


# ---- interruption ----


@pytest.mark.parametrize("sign", ["0_imported.mlir", "1_rewritten.mlir", "4_laid-out.mlir"])
def test_ctrl_c_leaves_nothing(models: Path, here: Path, sign: str):
    work, dump, temporary = here / "work", here / "dump", here / "temporary"
    work.mkdir()
    temporary.mkdir()
    command = [
        "env",
        f"TMPDIR={temporary}",
        *COMPILE,
        str(models / "residual.mlir"),
        "-o",
        "out.so",
        f"--dump-ir={dump}",
    ]
    done = interrupt(command, (dump / sign).exists, work)
    assert done.code == 130
    assert done.err == "cocompc: error: interrupted\n"
    assert not list(work.iterdir())
    assert not [p for p in temporary.iterdir() if p.name.startswith("cocomp")]


def test_ctrl_c_of_a_benchmark(library: Path, here: Path):
    command = [sys.executable, "-m", "cocomp.cli.run", str(library), "--benchmark=100000000", "--output", "y.npy"]
    done = interrupt(command, (here / "y.npy").exists, here)
    assert (done.code, done.out) == (130, "")
    assert done.err.endswith("cocomp-run: error: interrupted\n")


def test_termination_is_like_ctrl_c(models: Path, here: Path):
    process = subprocess.Popen(
        [*COMPILE, str(models / "residual.mlir"), "-v"],
        cwd=here,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    process.stderr.readline()  # imported: past the start of Python
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.endswith("interrupted\n")
    assert not list(here.iterdir())


def test_reader_that_goes_away(models: Path, here: Path):
    """`cocompc --compile-to=... -o - | head -1`"""
    process = subprocess.Popen(
        [sys.executable, "-m", "cocomp.cli.opt", "--list-passes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0


# ---- artefacts that cannot be run ----


def test_missing_artefact(tool: Capture, here: Path):
    done = tool("run", "no.so")
    assert (done.code, done.err) == (1, "cocomp-run: error: no.so: no such file\n")


BROKEN = [
    (b"", "the file is empty"),
    (b"hello", "not a compiled model: it is not an ELF file"),
    (b"\x7fELF\x01\x01" + bytes(100), "it is not a 64-bit little-endian ELF file"),
    (b"\x7fELF\x02\x01" + bytes(100), "it is not a shared library"),
]


@pytest.mark.parametrize(("data", "message"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_artefact(tool: Capture, here: Path, data: bytes, message: str):
    (here / "m.so").write_bytes(data)
    done = tool("run", "m.so")
    assert done.code == 1
    assert message in done.err


def test_library_of_somebody_else(tool: Capture):
    import _ctypes

    done = tool("run", _ctypes.__file__)
    assert done.code == 1
    assert "not a model compiled by cocompc (it has no manifest)" in done.err


def test_artefact_for_another_architecture(tool: Capture, models: Path, here: Path):
    import platform

    other = "linux-arm64" if platform.machine() == "x86_64" else "linux-x86-64"
    assert tool("cocompc", models / "residual.pt2", f"-target={other}", "-o", "m.so").code == 0
    done = tool("run", "m.so")
    assert done.code == 1
    assert f"this machine is {platform.machine()}; compile the model with -target=host" in done.err


def test_artefact_for_a_newer_processor(library: Path, tool: Capture, monkeypatch: pytest.MonkeyPatch):
    """The library itself refuses; here its check is made to fail."""
    import ctypes

    from cocomp.runtime import loader

    class Refusing(ctypes.CDLL):
        def __init__(self, name: str) -> None:
            super().__init__(name)
            self.cocomp_create = lambda *_: 4  # COCOMP_WRONG_CPU

    monkeypatch.setattr(loader.ctypes, "CDLL", Refusing)
    done = tool("run", library)
    assert done.code == 1
    assert "processor" in done.err


def test_truncated_artefact(tool: Capture, library: Path, here: Path):
    data = library.read_bytes()
    for size in (63, 64, 1000, len(data) // 2, len(data) - 1):
        (here / "m.so").write_bytes(data[:size])
        done = tool("run", "m.so")
        assert done.code == 1
        assert without_traceback(done)


def test_appended_bytes_are_noticed(tool: Capture, library: Path, here: Path):
    (here / "m.so").write_bytes(library.read_bytes() + b"x")
    assert "the file is corrupted (its checksum is wrong)" in tool("run", "m.so").err


def test_no_flipped_bit_gets_through(library: Path, here: Path):
    """Every flip is either noticed or lies where nothing is read; nothing crashes."""
    data = bytearray(library.read_bytes())
    chosen = random.Random(5)
    positions = [
        *range(64),
        *range(len(data) - 64 * 30, len(data), 7),
        *(chosen.randrange(len(data)) for _ in range(400)),
    ]
    path = here / "m.so"
    for position in positions:
        bit = 1 << chosen.randrange(8)
        data[position] ^= bit
        path.write_bytes(data)
        with pytest.raises(ArtifactError):
            load(path)
        data[position] ^= bit


def test_version_of_the_format_is_checked(library: Path, here: Path, monkeypatch: pytest.MonkeyPatch, tool: Capture):
    from cocomp.runtime import manifest

    monkeypatch.setattr(manifest, "FORMAT", 99)
    assert "this is format 99; compile the model again" in tool("run", library).err


# ---- mistakes of our own ----


def test_internal_error_leaves_a_reproducer(tool: Capture, models: Path, here: Path, monkeypatch: pytest.MonkeyPatch):
    import tempfile

    from cocomp.passes.layout.select_layout import SelectLayoutPass
    from cocomp.passes.tensor.fold_constants import FoldConstantsPass

    def fail(self: SelectLayoutPass, module: ir.Module, state: State) -> None:
        raise KeyError("boom")

    monkeypatch.setattr(tempfile, "tempdir", str(here))
    monkeypatch.setattr(FoldConstantsPass, "run", lambda *_: None)  # it runs the pipeline for itself
    monkeypatch.setattr(SelectLayoutPass, "run", fail)
    done = tool("cocompc", models / "residual.pt2", "-mcpu=x86-64-v3", "-target=linux-x86-64")
    assert done.code == _shell.INTERNAL == 70
    assert "cocompc: error: internal error: pass 'select-layout' failed: KeyError: 'boom'" in done.err
    command = shlex.split(
        next(line for line in done.err.splitlines() if "see it again: " in line).partition("again: ")[2]
    )
    assert command[0] == "cocomp-opt"
    assert command[2:] == ["-p", "select-layout", "-target=linux-x86-64", "-mcpu=x86-64-v3"]
    again = tool("opt", *command[1:])
    assert again.code == 70
    assert "pass 'select-layout' failed: KeyError: 'boom'" in again.err
    monkeypatch.undo()
    assert tool("opt", *command[1:]).code == 0


def test_failing_link_leaves_a_reproducer(tool: Capture, models: Path, here: Path, monkeypatch: pytest.MonkeyPatch):
    import tempfile

    from cocomp.passes.tensor.fold_constants import FoldConstantsPass
    from cocomp.targets import library

    monkeypatch.setattr(tempfile, "tempdir", str(here))
    monkeypatch.setattr(FoldConstantsPass, "run", lambda *_: None)
    monkeypatch.setattr(library, "zig", lambda *_: [sys.executable, "-c", "raise SystemExit('no linker')"])
    done = tool("cocompc", models / "residual.pt2", "-o", "out.so")
    assert done.code == 70
    assert "no linker" in done.err
    assert not (here / "out.so").exists()
    monkeypatch.undo()
    command = shlex.split(
        next(line for line in done.err.splitlines() if "see it again: " in line).partition("again: ")[2]
    )
    assert tool("opt", *command[1:]).code == 0
    (emitted,) = (word.partition("=")[2] for word in command if word.startswith("--emit="))
    assert tool("run", emitted).code == 0


def test_any_exception_is_an_internal_error(capsys: pytest.CaptureFixture[str]):
    def fail() -> int:
        raise ZeroDivisionError("division by zero")

    assert _shell.guarded("cocompc", fail) == 70
    err = capsys.readouterr().err
    assert "internal error: ZeroDivisionError: division by zero" in err
    report = Path(err.rsplit(" ", 1)[1].strip())
    assert "Traceback" in report.read_text()
    report.unlink()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "out of memory"),
        (OSError(5, "Input/output error", "x.bin"), 1, "x.bin: Input/output error"),
    ],
)
def test_exceptions_of_the_system(error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]):
    def fail() -> int:
        raise error

    assert _shell.guarded("tool", fail) == code
    assert capsys.readouterr().err == f"tool: error: {message}\n"


def test_tools_are_installed_as_commands():
    for name in ("cocompc", "cocomp-opt", "cocomp-run"):
        done = subprocess.run(
            [Path(sys.executable).with_name(name), "--help"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0


def test_tools_run_from_anywhere(models: Path, here: Path):
    assert run_tool("cocompc", models / "no.pt2", cwd=here, env={"PYTHONPATH": str(ROOT)}).code == 1
