"""The benchmark: what it plans, how its figures come about, and the real thing on a few steps."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from kdviz import bench, cli, data, models, settings
from kdviz.errors import UserError
from tests.sources import ROOT


def trained(rate: float, **more: Any) -> dict[str, Any]:
    """Return a measurement of 60,000 images an epoch at so many images a second."""
    return {"what": "one", "images_per_second": rate, "seconds_per_epoch": 60_000 / rate, "training_seconds": 180_000 / rate,
            "threads": 2, "peak_memory_mb": 600.0, "wall_seconds": 12.0, **more}  # fmt: skip


def stored() -> dict[str, dict[str, Any]]:
    fp32 = {"precision": "fp32", "flops_per_image": 100_000}
    return {
        "peak": {"what": "peak", "gflops": {"fp32": 200.0, "bf16": 800.0}, "peak_memory_mb": 300.0, "wall_seconds": 5.0},
        "yardstick 30": trained(5_000.0, what="yardstick 30-30", errors=[576]),
        "30 eager": trained(100_000.0, what="one, eager", errors=[600], how="eager, fp32", **fp32),
        "30 compiled": trained(200_000.0, what="one, compiled", errors=[601], how="compiled, fp32", compile_seconds=8.0, **fp32),
        "16 x 30 eager": {**trained(1_600_000.0, what="16, eager", how="eager, fp32", temperatures=[1, 4, 8], **fp32),
                          "errors": [700, 625, 650], "seconds_per_epoch": 0.6},
        "16 x 30 compiled": {"what": "16, compiled", "failed": "RuntimeError: it broke (exit status 1)"},
        "yardstick 800": trained(4_000.0, what="yardstick 800-800", errors=[200]),
        "800 eager": trained(24_000.0, what="large", errors=[210], how="eager, fp32", **fp32),
        "800 fast eager": {**trained(36_000.0, what="fast", errors=[196], how="eager, bf16", precision="bf16"),
                           "flops_per_image": 4_000_000, "training_seconds": 5.0, "peak_memory_mb": 900.0},
        "yardstick teacher": trained(2_000.0, what="yardstick, teacher"),
        "distill": {"what": "distill", "wall_seconds": 11.5, "first_wall_seconds": 20.0, "peak_memory_mb": 700.0},
    }  # fmt: skip


def test_figures_are_the_hand_computed_ones() -> None:
    results = stored()
    bench.derive(results)
    # 200,000 images/s of 100,000 operations are 20 of 200 GFLOP/s.
    assert results["30 compiled"]["fraction_of_peak"] == pytest.approx(0.1)
    assert results["30 compiled"]["to_yardstick"] == pytest.approx(40)
    assert results["30 compiled"]["more_errors"] == 25
    assert results["30 compiled"]["more_errors_by_chance"] == pytest.approx((601 + 576) ** 0.5)
    assert results["16 x 30 eager"]["to_yardstick"] == pytest.approx(320)
    assert results["16 x 30 eager"]["more_errors"] == 625 - 576, "of the student at T = 4"
    # A bf16 training is held against the peak of bf16: 144 of 800 GFLOP/s.
    assert results["800 fast eager"]["fraction_of_peak"] == pytest.approx(0.18)
    assert results["800 fast eager"]["to_yardstick"] == pytest.approx(9), "against the 800-800 yardstick"
    assert "fraction_of_peak" not in results["yardstick 30"]


def test_claims_are_the_hand_computed_ones() -> None:
    claims = bench.claims(stored())
    assert [(claim["goal"], claim["value"] and round(claim["value"], 3)) for claim in claims] == [
        (30, 40.0),  # the quicker, which is compiled
        (250, 320.0),  # the compiled one failed
        (2.7, 2.0),  # 0.6 s an epoch against 0.3 s
        (5, 6.0),
        (10, 9.0),  # 45 s of training against 5 s
        (5, None),  # no teacher of kdviz was measured
        (12, 11.5),
        (1500, 900.0),
    ]
    assert "196 errors against 200" in claims[4]["note"]
    assert "20.0 s when it was compiled" in claims[6]["note"]


def test_table_tells_each_measurement_and_each_failure() -> None:
    results = stored()
    bench.derive(results)
    made = {"epochs": 3, "steps": None, "threads": 2}
    shown = bench.table({"made": made, "measurements": results, "claims": bench.claims(results)}).splitlines()
    assert shown[0].startswith("matrix products, 2 thread(s): fp32 200 GFLOP/s, bf16 800 GFLOP/s")
    (one,) = [line for line in shown if line.startswith("one, compiled")]
    assert " ".join(one.split()) == "one, compiled 2 200,000 0.30 10.0% 40.0 601 ± 25 +25 ± 34 8.0 s 600 MB 12.0 s"
    (sixteen,) = [line for line in shown if line.startswith("16, eager")]
    assert "625 ± 25 (625 to 700)" in sixteen
    (broken,) = [line for line in shown if line.startswith("16, compiled")]
    assert broken.endswith("failed: RuntimeError: it broke (exit status 1)")
    (unknown,) = [line for line in shown if line.startswith("teacher with dropout: ")]
    assert "not measured" in unknown


def test_operations_of_an_image() -> None:
    from tests.benchmarks.throughput import flops

    # 784 x 30 needs no gradient of its inputs: four operations a weight, not six.
    assert flops(models.architecture("mlp-30-30", (28, 28, 1), 10)) == 4 * 784 * 30 + 6 * (30 * 30 + 30 * 10)


def child(program: str) -> bench.Measurement:
    return bench.Measurement("one", "one", [sys.executable, "-c", program], 1)


def test_a_failing_child_gives_a_line_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    planned = [
        bench.Measurement("a", "first", [sys.executable, "-c", "raise ValueError('out of luck')"], 1),
        bench.Measurement("b", "second", [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], 1),
        bench.Measurement("c", "third", ["none"], 1, skipped="no compiler here"),
        bench.Measurement("d", "fourth", [sys.executable, "-c", "print('{\"images_per_second\": 7.0}')"], 1),
    ]
    monkeypatch.setattr(bench, "measurements", lambda epochs, steps: planned)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    said: list[str] = []
    report = bench.bench(3, None, said.append)
    assert said[0] == "1 of 4: first, about 1 s"
    assert said[1] == "  failed: ValueError: out of luck (exit status 1)"
    assert said[3] == "  failed: it said nothing (signal 9)"
    assert said[5] == "  skipped: no compiler here"
    assert said[7].startswith("  7 images/s, ")
    assert report["measurements"]["d"]["images_per_second"] == 7.0


def test_memory_is_that_of_the_child() -> None:
    small = bench.measure(child("print('{}')"))["peak_memory_mb"]
    large = bench.measure(child("held = b'x' * 300_000_000; print('{}')"))["peak_memory_mb"]
    # A child's peak begins at its parent's; that of pytest is what both begin with.
    assert large > 300
    assert large > small or small > 300


def test_an_interruption_ends_the_child_too(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    program = f"import os, pathlib, time; pathlib.Path({str(written)!r}).write_text(str(os.getpid())); time.sleep(60)"
    outer = (
        "import sys; from kdviz import bench\n"
        f"bench.measure(bench.Measurement('one', 'one', [sys.executable, '-c', {program!r}], 1))"
    )
    parent = subprocess.Popen([sys.executable, "-c", outer], cwd=ROOT, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not (written.is_file() and written.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    parent.send_signal(signal.SIGINT)  # to the parent alone, as `kill -INT` does
    parent.wait(30)
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--epochs", "0"], "epochs must be from 1 to 1000, got 0"),
    (["--steps", "3"], "steps must be from 10 to 1000, got 3"),
])  # fmt: skip
def test_a_mistake_is_one_line(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", *arguments]) == 2
    assert capsys.readouterr().err == f"kdviz: {sentence}\n"


def test_without_the_source_folder_there_is_no_yardstick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    with pytest.raises(UserError, match="part of kdviz's source folder"):
        bench.bench(3, None, print)


def test_plan_measures_the_same_training_as_the_yardstick(mnist: data.Dataset) -> None:
    if not (settings.data_folder() / "prepared").is_dir():
        pytest.skip("MNIST is not prepared in KDVIZ_DATA")
    from tests.benchmarks import yardstick

    plan = {measurement.name: measurement for measurement in bench.measurements(5, None)}
    order = json.loads(plan["16 x 30 eager"].command[-1])
    assert order["batch_size"] == yardstick.BATCH
    assert order["learning_rate"] == yardstick.LEARNING_RATE
    assert len(order["temperatures"]) == 16 and yardstick.TEMPERATURE in order["temperatures"]
    assert order["epochs"] == 5 and plan["yardstick 30"].command[-4:-1] == ["5", "--teacher", bench.TEACHER]


def test_bench_prints_one_json_object(mnist: data.Dataset, tmp_path: Path) -> None:
    if not (settings.data_folder() / "MNIST" / "raw").is_dir() or not (settings.data_folder() / "logits").is_dir():
        pytest.skip("KDVIZ_DATA has no MNIST with its teachers' logits")
    # No compiler on the path: its measurements are skipped and say so. One thread each: others may be at work here.
    alone = {"PATH": str(tmp_path), "OMP_NUM_THREADS": "1", "KDVIZ_WORKERS": str(os.cpu_count())}
    environment = {key: value for key, value in os.environ.items() if key != "CXX"} | alone
    shown = subprocess.run(
        [sys.executable, "-m", "kdviz", "bench", "--steps", "10", "--json"],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    report = json.loads(shown.stdout)
    results = report["measurements"]
    failed = {name: result["failed"] for name, result in results.items() if "failed" in result}
    assert not failed
    assert results["30 compiled"] == {"what": "one student 30-30, compiled", "skipped": "no C++ compiler on this machine"}
    assert len(results["16 x 30 eager"]["errors"]) == 16 and len(results["30 eager"]["errors"]) == 1
    assert all(claim["value"] > 0 for claim in report["claims"])
    assert "about" in shown.stderr and "images/s" in shown.stderr
    bench.table(report)
