"""What a web process has imported when it listens, and when it has made its first page: nothing that it does not need by then."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.sources import ROOT

LISTENING = "import sys; import app"
FIRST_PAGE = f"""
import sys
import app
from streamlit.testing.v1 import AppTest
page = AppTest.from_file({str(ROOT / "kdviz" / "ui" / "main.py")!r}, default_timeout=120).run()
assert not page.exception and page.title[0].value
"""
# Streamlit itself imports the top of plotly where it is installed; what draws in Python lies below it.
HEAVY = (
    "torch", "torchvision", "sklearn", "scipy", "pandas", "pyarrow", "plotly.tools", "distributed", "dask", "cryptography",
    "sqlalchemy", "alembic", "safetensors",
)  # fmt: skip


def imported(program: str, names: tuple[str, ...]) -> list[str]:
    """Return which of some modules a fresh interpreter has after a program."""
    said = f"import json\nprint(json.dumps([name for name in {names!r} if name in sys.modules]))"
    program = f"{program}\n{said}"
    shown = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert shown.returncode == 0, shown.stderr
    found: list[str] = json.loads(shown.stdout.splitlines()[-1])
    return found


def test_a_server_listens_before_it_imports_anything_heavy() -> None:
    assert imported(LISTENING, (*HEAVY, "numpy", "PIL.Image", "babel")) == []


def test_the_first_page_needs_no_table_no_figure_of_python_and_no_store() -> None:
    assert imported(FIRST_PAGE, HEAVY) == []


def test_the_first_page_imports_nothing_for_other_pages_and_pictures() -> None:
    """Each of these was a part of the wait for the first title: parts of numpy for a wrapper, and what only some readers see."""
    parts = ("own_picture", "drawing_pad", "prepare", "street_view", "ensemble_view", "run_view", "live_curves")
    others = (
        "kdviz.data.street",
        "kdviz.data.prepare",
        "kdviz.data.picture",
        "kdviz.spec",
        "numpy.f2py",
        "numpy.ma",
        "numpy.testing",
    )
    assert imported(FIRST_PAGE, (*others, *(f"kdviz.ui.components.{part}" for part in parts))) == []


def test_what_is_read_ahead_is_taken_out_of_later_collections() -> None:
    program = """
import gc, sys, time
import app
from kdviz.ui import server
server._read_ahead()
assert gc.isenabled() and gc.get_freeze_count() > 50_000, gc.get_freeze_count()
before = set(sys.modules)
from streamlit.testing.v1 import AppTest
page = AppTest.from_file("kdviz/ui/main.py", default_timeout=120).run()
assert not page.exception and page.title[0].value
""".replace('"kdviz/ui/main.py"', repr(str(ROOT / "kdviz" / "ui" / "main.py")))
    late = f"{program}\nnew = set(sys.modules) - before\nfor name in list(sys.modules):\n    name in new or sys.modules.pop(name)"
    names = ("PIL.Image", "PIL.JpegImagePlugin", "numpy", "kdviz.teachers", "kdviz.ui.components.dial", "streamlit.emojis")
    assert imported(late, names) == []
