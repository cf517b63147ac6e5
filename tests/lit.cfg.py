"""lit runs the tests of single passes: `lit tests`."""

import os
import shutil
import sys
from pathlib import Path

import lit.formats

here = Path(__file__).parent
binaries = Path(sys.executable).parent

config.name = "cocomp"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir"]
config.excludes = ["golden", "plugin"]
config.test_source_root = str(here)
config.test_exec_root = str(here.parent / "build" / "lit")
config.environment["PATH"] = f"{binaries}:{config.environment['PATH']}"
config.environment.update({k: os.environ[k] for k in ("PYTHONPATH",) if k in os.environ})
config.substitutions.append(("FileCheck", "filecheck"))
if shutil.which("spirv-dis"):
    config.available_features.add("spirv-dis")
