"""What cocompc does with an accelerator's project."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from cocomp.support.diagnostics import UsageError

from . import _shell

if TYPE_CHECKING:
    from cocomp.artifact import Project

    from ._progress import ProgressLines


def check(folder: Path, options: argparse.Namespace) -> None:
    """Find out early what could only fail late."""
    from cocomp.artifact import check_folder

    if options.report:
        raise UsageError("expected no --report with -target=fpga-hls: a project has its reports in its own folder")
    if options.explore and options.verify is not None:
        raise UsageError("expected no --verify with --explore: there is no project to simulate")
    if not options.explore:
        check_folder(folder)


def finish(project: Project, folder: Path, options: argparse.Namespace, progress: ProgressLines) -> int:
    """Tell of the designs, or simulate the project and write it."""
    from cocomp.targets.fpga.hls.rungs import simulate

    found = project.facts["tile-to-device"]["exploration"]
    if options.explore:
        print(project.facts["designs"])
        return _shell.OK
    if options.verify is not None:
        start = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="cocomp-") as name:
            project.write(Path(name) / "project")
            said = simulate(Path(name) / "project")
        progress.phase_done(f"verified: {said}", time.perf_counter() - start)
    project.save(folder)
    best = found.best
    print(
        f"{folder}: {best.device.name}, {best.design}\n"
        f"estimated: {best.seconds * 1e3:.3g} ms, {best.fps:.3g} inputs/s, {best.gops:.3g} GOPS at {best.device.clock_mhz:g} MHz; {best.demand}"
    )
    return _shell.OK
