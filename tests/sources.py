"""The source files of kdviz, parsed: what the tests about imports, sentences and documents look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@lru_cache
def modules() -> dict[str, ast.Module]:
    """Return every module of kdviz/, and app, by dotted name; a package goes by its own."""
    files = [*sorted((ROOT / "kdviz").rglob("*.py")), ROOT / "app.py"]
    return {_dotted(file): ast.parse(file.read_text("utf-8"), str(file)) for file in files}


def _dotted(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True)
class Import:
    """One imported name, fully dotted. at_top: executed when the module is; not in a function, not for type checkers only."""

    name: str
    line: int
    at_top: bool


def imports(module: str) -> list[Import]:
    """Return all that a module imports, wherever it does. `from a import b` is `a.b`, which may be a module or a thing in one."""
    return list(_imports(modules()[module], at_top=True))


def _imports(node: ast.AST, at_top: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, at_top)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"line {child.lineno}: imports are written out in full, `from kdviz...`"
            for alias in child.names:
                yield Import(f"{child.module}.{alias.name}", child.lineno, at_top)
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _imports(child, at_top=False)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for statement in child.body:
                yield from _imports(ast.Module([statement], []), at_top=False)
            for statement in child.orelse:
                yield from _imports(ast.Module([statement], []), at_top)
        else:
            yield from _imports(child, at_top)
