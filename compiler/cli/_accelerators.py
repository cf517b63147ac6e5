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
    from cocomp.frontend.imported import Imported
    from cocomp.options import Options

    from ._progress import ProgressLines


def check(folder: Path, options: argparse.Namespace) -> None:
    """Find out early what could only fail late."""
    from cocomp.artifact import check_folder

    if options.report:
        raise UsageError("expected no --report with -target=fpga-hls: a project has its reports in its own folder")
    if options.explore and options.verify is not None:
        raise UsageError("expected no --verify with --explore: there is no project to simulate")
    if options.explore and options.output and folder.suffix != ".html":
        raise UsageError(f"expected -o FILE.html with --explore, for the designs as a page, got '{options.output}'")
    if not options.explore:
        check_folder(folder)


def emit(
    imported: Imported, chosen: Options, folder: Path, options: argparse.Namespace, progress: ProgressLines
) -> int:
    """Tell of the designs, or simulate the project and write it."""
    from cocomp.api import accelerator_of
    from cocomp.targets.fpga.hls.rungs import simulate

    project = accelerator_of(imported, chosen, progress.phase_done, progress.instruments())
    assert project is not None
    found = project.facts["tile-to-device"]["exploration"]
    if options.explore:
        _explore(project, chosen, folder if options.output else None)
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


def _explore(project: Project, chosen: Options, output: Path | None) -> None:
    """List designs, and write them as a page where there is somewhere to."""
    from cocomp.artifact import write_whole
    from cocomp.targets.fpga.designs import page
    from cocomp.targets.fpga.reports import alternatives, designs

    facts = project.facts["tile-to-device"]
    explorations = alternatives(chosen.quantize, facts["stages"], facts["exploration"])
    print(designs(explorations))
    if output is not None:
        write_whole({output: page(chosen.quantize, explorations).encode()})
