"""The rules of the house, checked: who imports whom, what things are called, that everything says what it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cocomp.pipeline import cpu_steps
from cocomp.support.passes import Pass, Upstream, parse_pipeline, split_pipeline
from cocomp.support.registry import FOLDERS, PassTable

ROOT = Path(__file__).parents[1]
PACKAGES = {"cocomp": "compiler", "cocomp.dialects": "dialects", "cocomp.passes": "passes", "cocomp.runtime": "runtime"}
"""Package -> folder that holds it."""
SOURCES = sorted(
    path for folder in PACKAGES.values() for path in (ROOT / folder).rglob("*.py") if not path.is_symlink()
)
ALLOWED = {
    "support": ("support",),
    "math": ("math",),
    "dialects": ("dialects", "math", "support"),
    "passes": ("passes", "dialects", "math", "support"),
    "runtime": ("runtime", "support"),
    "targets": ("targets", "passes", "dialects", "math", "support", "runtime"),
}
"""Layer -> layers that it may import. The others (pipeline, api, front ends, cli) stand above these."""
BELOW = ("support", "math", "dialects", "passes", "runtime", "targets")


def module_of(path: Path) -> str:
    """Dotted name of a source file."""
    folder = path.relative_to(ROOT).parts[0]
    package = next(p for p, f in PACKAGES.items() if f == folder)
    parts = path.relative_to(ROOT / folder).with_suffix("").parts
    return ".".join([package, *(p for p in parts if p != "__init__")])


def layer_of(module: str) -> str:
    """The layer of a module of ours; `top` for what stands above them."""
    if module.startswith("cocomp.passes.math"):
        return "math"
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in BELOW else "top"


def imports_of(path: Path) -> Iterator[tuple[str, int]]:
    """(module, line) of every import of a file, also inside functions; relative ones made absolute."""
    module = module_of(path)
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - node.level + 1]) if node.level else ""
            name = ".".join(filter(None, [base, node.module]))
            yield name, node.lineno
            yield from ((f"{name}.{alias.name}", node.lineno) for alias in node.names)


def known_module(name: str) -> bool:
    """Whether a dotted name is a file of ours (and not something defined in one)."""
    return name in {module_of(p) for p in SOURCES}


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_downwards(path: Path) -> None:
    layer = layer_of(module_of(path))
    if layer not in ALLOWED:
        return
    for name, line in imports_of(path):
        if name.startswith("cocomp") and known_module(name) and name != "cocomp":
            target = layer_of(name)
            if name in PACKAGES or name == "cocomp.passes":
                continue
            assert target in ALLOWED[layer], f"{path}:{line}: {layer} may not import {name}"


def test_passes_do_not_import_one_another() -> None:
    names = {module_of(p) for p in SOURCES if is_pass(p)}
    for path in SOURCES:
        if is_pass(path):
            others = {name for name, _ in imports_of(path)} & names - {module_of(path)}
            shared = {o for o in others if layer_of(o) == "passes"}
            assert not shared, (
                f"{path}: shared code belongs into a file of its own, not into {', '.join(sorted(shared))}"
            )


def test_bindings_are_imported_in_one_place() -> None:
    for path in SOURCES:
        module = module_of(path)
        if module == "cocomp.support.mlir" or module.startswith("cocomp.frontend."):
            continue  # front ends use torch-mlir's importers
        found = [line for name, line in imports_of(path) if name.split(".")[0] == "torch_mlir"]
        assert not found, f"{path}:{found[0]}: import MLIR from cocomp.support.mlir"


def test_the_runtime_needs_numpy_only() -> None:
    for path in SOURCES:
        if layer_of(module_of(path)) == "runtime":
            heavy = {name.split(".")[0] for name, _ in imports_of(path)} & {
                "torch",
                "torch_mlir",
                "llvmlite",
                "ziglang",
            }
            assert not heavy, f"{path} imports {heavy}"


def is_pass(path: Path) -> bool:
    """Whether a file holds a pass: everything in the folders of passes that does not begin with an underscore."""
    parts = path.relative_to(ROOT).parts
    return parts[0] == "passes" and len(parts) == 3 and parts[1] in FOLDERS and not path.name.startswith("_")


def passes() -> dict[str, type[Pass]]:
    """Every built-in pass, by its argument."""
    table = PassTable()
    return {name: table[name] for name in table.modules}


@pytest.mark.parametrize("path", [p for p in SOURCES if is_pass(p)], ids=lambda p: p.stem)
def test_file_argument_class_and_test_share_a_name(path: Path) -> None:
    words = path.stem.split("_")
    argument = "-".join(words)
    assert argument in passes(), f"{path} is not in the registry"
    cls = passes()[argument]
    assert cls.name == argument
    assert cls.__name__ == "".join(w.capitalize() for w in words) + "Pass"
    test = ROOT / "tests" / "passes" / path.parent.name / f"{argument}.mlir"
    assert test.exists(), f"{argument} has no test {test.relative_to(ROOT)}"
    run = next(line for line in test.read_text().splitlines() if "RUN:" in line)
    assert re.search(rf"[ ,'\"]{argument}\b", run), f"{test} does not run {argument}"


@pytest.mark.parametrize("name", sorted(passes()))
def test_a_pass_says_what_it_does(name: str) -> None:
    text = passes()[name].__doc__ or ""
    assert "-->" in text or "Needs" in text or "%" in text, (
        f"{name}: show before and after, what it needs, what it leaves"
    )


@pytest.mark.parametrize("name", sorted(passes()))
def test_a_pass_is_its_text(name: str) -> None:
    cls = passes()[name]
    made = cls()
    assert hash(made) == hash(cls()) and made == cls()
    (again,) = parse_pipeline(str(made), {name: cls})
    assert again == made


def test_pipelines_are_their_text() -> None:
    known = passes()
    for reached, steps in cpu_steps():
        assert all(step.reason for step in steps), f"{reached.name}: every step has a reason"
        text = ",".join(str(step.what) for step in steps)
        again = parse_pipeline(text, known)
        flat = [
            p
            for step in steps
            for p in (
                [Upstream(t) for t in split_pipeline(str(step.what))]
                if isinstance(step.what, Upstream)
                else [step.what]
            )
        ]
        assert again == flat


def public(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Public functions and classes of a file, and public methods of public classes that other files may call."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            for inner in node.body if isinstance(node, ast.ClassDef) else []:
                if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_") and len(inner.body) > 2:
                    yield f"{node.name}.{inner.name}", inner


OBVIOUS = {"main", "run", "verify_invariants"}
"""Names that say it all, or that the base class documents."""


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_files_and_what_they_offer_are_documented(path: Path) -> None:
    text = path.read_text()
    if not text.strip():
        return
    tree = ast.parse(text)
    assert ast.get_docstring(tree), f"{path} does not say what it is"
    is_encoding = path.parent.name in ("encodings", "quantisers") and not path.name.startswith("_")
    described_by_base = is_pass(path) or is_encoding
    for name, node in public(tree):
        if name.rpartition(".")[2] in OBVIOUS or (described_by_base and "." in name):
            continue
        body = getattr(node, "body", [])
        short = len(body) == 1 and not isinstance(body[0], ast.ClassDef)
        assert ast.get_docstring(node) or short, f"{path}:{node.lineno}: '{name}' has no docstring"  # pyright: ignore


def test_files_of_tests_have_names_of_their_own() -> None:
    """pytest imports of two files with one name only the first."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))


def test_file_sizes() -> None:
    large = {str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 600}
    assert not large, f"a second idea is hiding in {large}"


def test_messages_are_sentences_in_lower_case() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("CompileError", "UsageError")
                and node.args
            ):
                first = node.args[0]
                text = first.values[0] if isinstance(first, ast.JoinedStr) else first
                if isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value:
                    opening = text.value.split()[0] if text.value.split() else "a"
                    assert opening[0].islower() or not opening[0].isalpha() or opening.isupper() or "." in opening, (
                        f"{path}:{node.lineno}: {text.value!r}"
                    )
                    assert not text.value.endswith("."), f"{path}:{node.lineno}: no full stop"
