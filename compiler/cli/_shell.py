"""What the three tools share: exit codes, how errors look, and flags that all of them know."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from cocomp.options import PRECISIONS
from cocomp.runtime.manifest import ArtifactError
from cocomp.support.diagnostics import CompileError, InternalError, UsageError

OK, REJECTED, USAGE, INTERNAL, INTERRUPTED = 0, 1, 2, 70, 130


def guarded(tool: str, work: Callable[[], int]) -> int:
    """Run a tool; whatever it raises becomes a message on stderr and an exit code, never a traceback."""
    try:
        code = work()
        sys.stdout.flush()
        return code
    except (CompileError, ArtifactError) as error:
        return complain(tool, str(error), REJECTED)
    except UsageError as error:
        return complain(tool, str(error), USAGE)
    except InternalError as error:
        return complain(tool, internal(error), INTERNAL)
    except KeyboardInterrupt:
        return complain(tool, "interrupted", INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return complain(tool, f"{where}{error.strerror or error}", REJECTED)
    except MemoryError:
        return complain(tool, "out of memory", REJECTED)
    except Exception as error:  # nothing that a user does may show a traceback
        return complain(tool, internal(error), INTERNAL)


def complain(tool: str, message: str, code: int) -> int:
    """Print an error; its exit code."""
    print(f"{tool}: error: {message}", file=sys.stderr)
    return code


def internal(error: Exception) -> str:
    """The message of an internal error: what failed, how to see it again, and where the traceback is."""
    lines = [f"internal error: {error if isinstance(error, InternalError) else f'{type(error).__name__}: {error}'}"]
    reproducer = error.reproducer if isinstance(error, InternalError) else ""
    if reproducer.startswith("("):
        lines.append(f"note: {reproducer[1:-1]}")
    elif reproducer:
        lines.append(f"note: to see it again: {reproducer}")
    lines.append(f"note: this is a mistake in the compiler; please report it with {_write_traceback(error)}")
    return "\n".join(lines)


def _write_traceback(error: Exception) -> str:
    text = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="cocomp-traceback-", suffix=".txt", text=True)
    except OSError:
        return "the command and the model"
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return name
    except OSError:
        Path(name).unlink(missing_ok=True)
        return "the command and the model"


def add_target_flags(parser: argparse.ArgumentParser) -> None:
    """`-target=` and `-mcpu=`, with one dash or two, and `--precision`."""
    parser.add_argument(
        "-target",
        "--target",
        default="host",
        metavar="TARGET",
        help="what to compile for (default: host; cocompc --list-targets)",
    )
    parser.add_argument(
        "-mcpu",
        "--mcpu",
        default="",
        metavar="CPU",
        help="processor, or family of GPUs, to compile for (default: the target's)",
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="f32", help="storage and arithmetic (default: f32)")


def parse_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """argparse ends the process with status 2 on wrong usage, and with 0 after --help."""
    return parser.parse_args(sys.argv[1:] if arguments is None else list(arguments))


def count(text: str) -> int:
    """An argument that is a number from 0."""
    return _number(text, 0)


def positive(text: str) -> int:
    """An argument that is a number from 1."""
    return _number(text, 1)


def _number(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a number from {least}, got '{text}'")
    return int(text)


def read_text(file: str) -> str:
    """Text of a file, `-` being stdin."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text()
    except UnicodeDecodeError:
        raise CompileError("expected text, got binary data", where=file) from None
    except OSError as error:
        raise CompileError(f"cannot be read: {error.strerror}", where=file) from None
