"""Prints student-images per second of `python -m kdviz distill` against the yardstick, both in this one run.

    python -m tests.benchmarks.throughput [--teacher cnn] [--student mlp-30-30] [--seeds 5] [--epochs 2]

The yardstick trains one student at a time, so each of the run's students would take it the same time again. Measured in turn,
yardstick, kdviz, yardstick, kdviz, since other work on the machine changes its speed; whole process for kdviz: start, loading
and judging included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time

from tests.benchmarks import yardstick


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--teacher", default="cnn")
    parser.add_argument("--student", default="mlp-30-30")
    parser.add_argument("--seeds", default="5")
    parser.add_argument("--epochs", type=int, default=10, help="of kdviz; the yardstick's speed is that of 200 steps")
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    slow, fast = [], []
    for _round in range(asked.rounds):
        rates = []
        for workers in (0, 2):
            teacher, student = yardstick.build(asked.teacher, asked.student)
            loader = yardstick.loader(True, 128, workers)
            seconds, images = yardstick.train_knowledge_distillation(teacher, student, loader, 1, 0.001, 4, 1.0, 0.1, "cpu", 200)
            rates.append(images / seconds)
            print(f"yardstick, {workers} loader processes: {rates[-1]:,.0f} images/s")
        slow.append(max(rates))
        command = [
            sys.executable,
            "-m",
            "kdviz",
            "distill",
            "--data",
            "mnist",
            "--student",
            asked.student,
            "--teacher",
            asked.teacher,
        ]
        command += ["--temperature", "4", "--seeds", asked.seeds, "--epochs", str(asked.epochs), "--json"]
        began = time.perf_counter()
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        seconds, students = time.perf_counter() - began, len(answer["students"])
        work = 60_000 * asked.epochs * students
        fast.append(work / seconds)
        print(
            f"kdviz, {students} students: {work / seconds:,.0f} student-images/s of the whole process ({seconds:.1f} s), "
            f"{work / answer['seconds']:,.0f} of its training ({answer['seconds']:.1f} s)"
        )
    print(f"ratio: {statistics.median(f / s for f, s in zip(fast, slow, strict=True)):.0f}")


if __name__ == "__main__":
    main()
