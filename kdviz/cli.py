"""python -m kdviz: data, teacher, distill, experiment, bench, engine.

`--json` prints one JSON object on standard output and nothing else there; progress goes to standard error. A user's mistake
is one line on standard error and exit status 2.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from kdviz import bench, data, experiments, settings, spec, teachers
from kdviz.errors import UserError
from kdviz.i18n import english


class Parser(argparse.ArgumentParser):
    """argparse, with a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message}; see `{self.prog} --help`", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    parsed = parser().parse_args(arguments)
    settings.wait_briefly()
    try:
        parsed.run(parsed)
    except UserError as error:
        print(f"kdviz: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kdviz: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def parser() -> Parser:
    """Return the parser of the whole command line; the README's documentation test reads it too."""
    top = Parser(prog="python -m kdviz", description="Soft targets, and students distilled from them.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("data", help="fetch or check a dataset and prepare it")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("name", metavar="NAME", nargs="?", help=", ".join(data.SOURCES))
    which.add_argument("--folder", type=Path, metavar="PATH", help="make a dataset of your own images, a folder for each class")
    command.add_argument("--name", dest="called", metavar="NAME", help="what to call it (default: as the folder)")
    command.set_defaults(run=_data)

    command = commands.add_parser("teacher", help="train a teacher, or list those there are")
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    action = actions.add_parser("train", help="train, write weights and card")
    action.add_argument("--data", required=True, metavar="NAME", help=", ".join(data.SOURCES))
    networks = "linear, mlp-A-B, cnn or cnn-A-B-C; -x5 behind it trains five that answer together (default: one that suits)"
    action.add_argument("--network", metavar="NAME", help=networks)
    action.add_argument("--epochs", type=int, metavar="N", help="passes over the training images (default: the recipe's)")
    action.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of weights, batches and regularisation (default: %(default)s)"
    )
    action.add_argument("--to", type=Path, metavar="FOLDER", help="where weights and card go (default: KDVIZ_DATA/teachers)")
    action.add_argument(
        "--hold-out",
        action="store_true",
        help="learn from the train split and judge on validation images; kept only where --to says",
    )
    _device(action)
    _json(action)
    action.set_defaults(run=_teacher_train)
    action = actions.add_parser("list", help="print every teacher's card")
    _json(action)
    action.set_defaults(run=_teacher_list)

    command = commands.add_parser("distill", help="train students from a teacher's soft targets and on hard labels, and compare")
    _knobs(command)
    command.add_argument(
        "--record", type=Path, metavar="FILE", help="also write the run with all its points, as the app replays it"
    )
    command.add_argument(
        "--compile", default="auto", choices=("auto", "yes", "no"),
        help="compile the training step (default: %(default)s, where it saves more time than it takes)",
    )  # fmt: skip
    _device(command)
    _json(command)
    command.set_defaults(run=_distill)

    command = commands.add_parser("experiment", help="run one of the paper's experiments; `list` lists them")
    command.add_argument("name", metavar="NAME", help=f"list, or {', '.join(experiments.names())}")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="on fewer images, in a minute or so (default)")
    length.add_argument("--full", action="store_true", help="as committed results are made; interrupted, it goes on where it was")
    command.add_argument("--seeds", type=int, metavar="N", help="students of each condition (default: the experiment's)")
    command.add_argument("--record", type=Path, metavar="FILE", help="also write the result as it is committed")
    _device(command)
    _json(command)
    command.set_defaults(run=_experiment)

    command = commands.add_parser("bench", help="measure kdviz on this machine against PyTorch's tutorial loop")
    command.add_argument("--epochs", type=int, default=bench.EPOCHS, metavar="N", help="of each student (default: %(default)s)")
    command.add_argument("--steps", type=int, metavar="N", help="end each training after so many steps, to try it out")
    _json(command)
    command.set_defaults(run=_bench)

    command = commands.add_parser("engine", help="start scheduler and workers, as the app starts them")
    command.add_argument("--for-app", action="store_true", help="end when no app has been seen for a while and nothing runs")
    command.set_defaults(run=_engine)
    return top


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object and nothing else on standard output")


def _device(command: argparse.ArgumentParser) -> None:
    command.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (default: %(default)s)")


def _knobs(command: argparse.ArgumentParser) -> None:
    """Add an option for every knob of RunSpec; values are validated there, not here."""
    for name, knob in spec.KNOBS.items():
        default, meta = knob.default, knob.metadata
        others = "".join(f"; {value} on {dataset}" for dataset, value in meta["by_dataset"].items())
        choices = ": " + ", ".join(meta["choices"]) if meta["choices"] else ""
        limits = f", {meta['low']:g} to {meta['high']:g}" if meta["low"] is not None else ""
        shown = ",".join(map(str, default)) or "none" if isinstance(default, tuple) else "none" if default is None else default
        option = {"dataset": "data"}.get(name, name).replace("_", "-")
        command.add_argument(
            f"--{option}",
            dest=name,
            metavar="LIST" if isinstance(default, tuple) else "NAME" if isinstance(default, str) else "N",
            help=f"{meta['help']}{limits}{choices} (default: {shown}{others})",
        )


def _spec(parsed: argparse.Namespace) -> spec.RunSpec:
    values: dict[str, Any] = {}
    for name, knob in spec.KNOBS.items():
        given = getattr(parsed, name)
        if given is not None:
            values[name] = given.split(",") if isinstance(knob.default, tuple) else given
    return spec.RunSpec.from_dict(values)


def _print(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _data(parsed: argparse.Namespace) -> None:
    from kdviz.data.prepare import prepare

    if parsed.folder is not None:
        _own_data(parsed.folder, parsed.called)
        return
    known = data.source(parsed.name)
    folder = data.prepared_folder(known.name)
    if folder is None:
        _print(f"looking in {settings.data_folder()}")
    prepared = prepare(known.name, lambda stage, share: _print(f"{stage}: {share:.0%}"))
    _print_counts(prepared)
    for card in teachers.cards():
        if card.dataset == known.name:
            teachers.logits(card, prepared)
            print(f"logits of {card.name} are ready")


def _own_data(given: Path, called: str | None) -> None:
    from kdviz.data import folder
    from kdviz.data.prepare import ensure_nearness, prepare_folder

    for fault in folder.inspect(given, lambda share: _print(f"looking at the images: {share:.0%}")).faults:
        _print(str(fault))
    name = folder.identifier(called or given.resolve().name, data.names())
    prepared = prepare_folder(name, given, lambda stage, share: _print(f"{stage}: {share:.0%}"))
    ensure_nearness(prepared)
    _print_counts(prepared)


def _print_counts(prepared: data.Dataset) -> None:
    train, validation, test = prepared.counts
    print(
        f"{prepared.name}: {train} train, {validation} validation, {test} test images "
        f"of {len(prepared.class_names)} classes, in {data.prepared_folder(prepared.name)}"
    )


def _teacher_list(parsed: argparse.Namespace) -> None:
    cards = teachers.cards()
    if parsed.json:
        print(json.dumps([{**asdict(card), "folder": str(card.folder)} for card in cards]))
        return
    for card in cards:
        several = (
            f"{card.members} members ({', '.join(map(str, card.member_errors or []))} errors) of " if card.members > 1 else ""
        )
        print(
            f"{card.name}: {card.accuracy:.2%} ({card.errors} errors of {card.test_images} {card.judged_on} images), {several}"
            f"{card.parameters:,} parameters, {card.multiply_adds:,} multiply-adds, {card.bytes / 1e6:.1f} MB, seed {card.seed}, "
            f"{card.date}{f', data: {card.copy}' if card.copy else ''}"
        )
    if not cards:
        print("no teachers yet; train one with `python -m kdviz teacher train --data digits`")


def _teacher_train(parsed: argparse.Namespace) -> None:
    asked = {name: getattr(parsed, name) for name in ("network", "epochs", "seed") if getattr(parsed, name) is not None}
    teacher = spec.TeacherSpec(dataset=parsed.data, **{"network": spec.defaults(parsed.data)["teacher"], **asked})
    from kdviz import teacher_run

    folder = parsed.to or settings.data_folder() / "teachers"
    kept = folder / f".{teacher.name}-{teacher.seed}{'-held-out' if parsed.hold_out else ''}.checkpoint"
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = kept.read_bytes() if kept.is_file() else None
    if checkpoint:
        _print(f"taking up {kept}")
    training = teacher_run.prepare(teacher, parsed.device, hold_out=parsed.hold_out)
    _print(f"{training.settings['images']:,} images, {training.recipe.epochs} epochs: {training.settings['why']}")
    saved, last = time.monotonic(), None
    for last in training.training(checkpoint):
        for point in last.points:
            _print(f"network {point.student}, epoch {point.epoch:.2f}: {point.errors} errors, {point.seconds:.0f} s")
        if not last.points:
            _print(f"step {last.step:,} of {last.steps:,}, {last.seconds:.0f} s")
        if time.monotonic() - saved > 20 and not last.complete:
            scratch = kept.with_suffix(".part")
            scratch.write_bytes(last.checkpoint())
            scratch.replace(kept)
            saved = time.monotonic()
    assert last is not None  # a training always yields its end
    if parsed.hold_out and parsed.to is None:
        ended = teacher_run.result(training, last)["teacher"]
        kept.unlink(missing_ok=True)
        print(json.dumps(ended) if parsed.json else f"{teacher.name}: {ended['errors']} errors on the validation images")
        return
    card = teacher_run.save(training, last, folder)
    kept.unlink(missing_ok=True)  # only now: hours of training are not lost to a full disk
    if parsed.json:
        print(json.dumps({**asdict(card), "folder": str(card.folder)}))
    else:
        judged = f"{card.errors} errors of {card.test_images} {card.judged_on} images ({card.accuracy:.2%})"
        print(f"{card.name}: {judged}, written to {folder}")


def _distill(parsed: argparse.Namespace) -> None:
    asked = _spec(parsed)
    from kdviz import run

    prepared = run.prepare(asked, parsed.device, compiling=parsed.compile)
    students = asked.students
    _print(f"{len(students)} students on {prepared.settings['transfer_images']:,} images: {prepared.settings['why']}")
    points: list[dict[str, Any]] = []
    last, said = None, -1.0
    for last in prepared.training():
        points += [asdict(point) for point in last.points]
        if None in last.latest or (last.seconds - said < 0.5 and not last.complete):
            continue
        said = last.seconds
        accuracies: dict[str, list[float]] = {}
        for student, point in zip(students, last.last_points(), strict=True):
            accuracies.setdefault(student.condition.replace("_", " "), []).append(point.accuracy)
        means = ", ".join(f"{condition} {sum(of) / len(of):.2%}" for condition, of in accuracies.items())
        _print(f"step {last.step:,} of {last.steps:,}: {means}, {last.seconds:.1f} s")
    assert last is not None  # a training always yields its beginning
    result = run.result(prepared, last)
    if parsed.record is not None:
        _record(parsed.record, result, points)
    if parsed.json:
        print(json.dumps(result))
        return
    print(f"teacher {result['teacher']['name']}: {result['teacher']['accuracy']:.2%}")
    for comparison in result["comparisons"]:
        setting = spec.Setting(*(comparison[name] for name in spec.Setting._fields))
        conditions = [comparison["condition"], comparison["against"]]
        shares = [
            sum(result["students"][number]["accuracy"] for number in numbers) / len(numbers)
            for numbers in (asked.members(condition, setting) for condition in conditions)
        ]
        if conditions == ["distilled", "distilled"]:
            shares[1] = shares[0] - comparison["mean"]
        first, second = (condition.replace("_", " ") for condition in conditions)
        second = "distilled with the right loss" if first == second else second
        names = {
            "student": "{}",
            "temperature": "T = {:g}",
            "soft_weight": "soft weight {:g}",
            "fraction": "{:g} of the images",
            "loss": "loss {}",
        }
        shown = [names[name].format(getattr(setting, name)) for name in names if name == "temperature" or name in asked.swept]
        line = f"{', '.join(shown)}: {first} {shares[0]:.2%}, {second} {shares[1]:.2%}, "
        line += f"difference {100 * comparison['mean']:+.2f} points"
        if comparison["verdict"] is not None:
            line += f" [{100 * comparison['low']:+.2f}, {100 * comparison['high']:+.2f}]: {comparison['verdict']}"
        print(line)


def _experiment(parsed: argparse.Namespace) -> None:
    if parsed.name == "list":
        listed = [experiments.find(name) for name in experiments.names()]
        if parsed.json:
            facts = [(one.name, english(one.question, **one.fields), one.section, one.seconds) for one in listed]
            print(json.dumps([dict(zip(("name", "question", "source", "seconds"), each, strict=True)) for each in facts]))
            return
        for one in listed:
            quick, full = map(experiments.duration, one.seconds)
            print(f"{one.name}: {english(one.question, **one.fields)} ({one.section}; quick {quick}, full {full})")
        return
    asked = experiments.find(parsed.name)
    from kdviz.experiments import running

    if parsed.record is not None:
        running.check(parsed.record)
    result = running.carry_out(asked, parsed.full, parsed.seeds, _print, parsed.device)
    if parsed.record is not None:
        running.record(parsed.record, result)
    print(json.dumps(result) if parsed.json else "\n".join(said["text"] for said in result["verdict"]), flush=True)
    running.forget(asked, parsed.full, parsed.seeds)


def _bench(parsed: argparse.Namespace) -> None:
    report = bench.bench(parsed.epochs, parsed.steps, _print)
    print(json.dumps(report) if parsed.json else bench.table(report))


def _record(file: Path, result: dict[str, Any], points: list[dict[str, Any]]) -> None:
    """Write a run with its points and with what made it, as the app shows recorded runs."""
    from kdviz.experiments import running

    # Six digits are more than a page shows; a sweep has thousands of points.
    running.write(file, {"made": result["settings"]["made"], "result": result, "points": experiments.short(points)})


def _engine(parsed: argparse.Namespace) -> None:
    import logging

    from kdviz import engine

    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("kdviz").setLevel(logging.INFO)
    try:
        engine.serve(parsed.for_app)
    except engine.EngineRunning:
        if not parsed.for_app:
            raise
