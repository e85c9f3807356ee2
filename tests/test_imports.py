"""kdviz reads in one order: a module imports only what stands above it in the layout that CONTRIBUTING.md shows."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.sources import ROOT, imports, modules

TORCH_AT_TOP = {"kdviz.step", "kdviz.train", "kdviz.turns", "kdviz.run", "kdviz.teacher_run"}
"""The modules that are about training; everywhere else torch waits until a function needs it."""


def layout() -> list[str]:
    """Return the entries of CONTRIBUTING.md's layout, from the first to be read to the last, as dotted names."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    block = re.search(r"## The layout.*?```text\n(.*?)```", text, re.DOTALL)
    assert block is not None, "CONTRIBUTING.md has a section `## The layout` with a block of text"
    entries = re.findall(r"^ *(kdviz/)?([a-z0-9_]+)(?:\.py|/) ", block[1], re.MULTILINE)
    return [name if name == "app" else f"kdviz.{name}" for _, name in entries if name != "kdviz"]


ORDER = layout()


def entry(module: str) -> str | None:
    """Return the entry of the layout that a dotted name belongs to: `kdviz.data` for `kdviz.data.prepare.prepare`."""
    parts = module.split(".")
    name = parts[0] if parts[0] == "app" else ".".join(parts[:2])
    return name if name in ORDER else None


def test_layout_names_every_module() -> None:
    there = {".".join(module.split(".")[:2]) for module in modules()} - {"kdviz", "kdviz.__main__"}
    assert set(ORDER) == there


@pytest.mark.parametrize("module", modules())
def test_imports_stand_above(module: str) -> None:
    if module in ("kdviz", "kdviz.__main__"):  # the version, and the door of the command line
        return
    own = entry(module)
    assert own is not None
    for found in imports(module):
        imported = entry(found.name) if found.name.split(".")[0] in ("kdviz", "app") else None
        if imported is not None:
            assert ORDER.index(imported) <= ORDER.index(own), (
                f"{module}, line {found.line}: {own} imports {imported}, which stands below it"
            )


@pytest.mark.parametrize("module", modules())
def test_only_pages_know_streamlit(module: str) -> None:
    if module.startswith("kdviz.ui") or module == "app":
        return
    assert not [found for found in imports(module) if _library(found.name) == "streamlit"]


@pytest.mark.parametrize("module", [module for module in modules() if module.startswith("kdviz.figures")])
def test_figures_know_no_library_but_their_own(module: str) -> None:
    libraries = {_library(found.name) for found in imports(module)} - set(sys.stdlib_module_names)
    assert libraries <= {"kdviz", "plotly", "numpy"}


@pytest.mark.parametrize("module", [module for module in modules() if module.startswith("kdviz.ui.components")])
def test_components_know_no_page(module: str) -> None:
    assert not [found for found in imports(module) if found.name.startswith(("kdviz.ui.app_pages", "kdviz.ui.main"))]


@pytest.mark.parametrize("module", modules())
def test_torch_waits_until_it_is_needed(module: str) -> None:
    if module in TORCH_AT_TOP:
        return
    at_top = [found for found in imports(module) if found.at_top and _is_torch(found.name)]
    assert not at_top, "torch, and what brings it in, is imported inside the function that needs it"


@pytest.mark.parametrize("module", modules())
def test_one_module_knows_torchvision(module: str) -> None:
    if module == "kdviz.data.vision":
        return
    assert not [found for found in imports(module) if _library(found.name) == "torchvision"]


def test_the_web_process_loads_no_torch() -> None:
    # The rule above is about what is written; this is about what happens, through every library that is imported.
    names = [m for m in modules() if m not in TORCH_AT_TOP and ".migrations" not in m and not m.startswith(("kdviz.ui", "app"))]
    names = [name for name in names if name != "kdviz.__main__"]
    program = (
        f"import importlib, sys\nfor name in {names!r}: importlib.import_module(name)\n"
        "print([heavy for heavy in ('torch', 'torchvision', 'sklearn', 'streamlit') if heavy in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.strip() == "[]"


def _library(name: str) -> str:
    return name.split(".")[0]


def _is_torch(name: str) -> bool:
    return _library(name) in ("torch", "torchvision") or name.startswith("safetensors.torch")
