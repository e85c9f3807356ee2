"""What the documents say is what there is: commands, options, variables, dependencies, versions, paths."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

import kdviz
from kdviz import cli, data, spec
from kdviz.ui import hiding, paper_state, subject
from tests import catalogue
from tests.sources import ROOT, imports, modules

README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
TEST_COMMAND = re.search(r"^python3 -m venv .*python -m tests$", README, re.MULTILINE)


def commands(parser: argparse.ArgumentParser, prefix: str = "python -m kdviz") -> dict[str, argparse.ArgumentParser]:
    """Return the parsers that do something, by the words that call them."""
    found: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for word, inner in action.choices.items():
                found |= commands(inner, f"{prefix} {word}")
    return found or {prefix: parser}


def options(parser: argparse.ArgumentParser) -> set[str]:
    return {string for action in parser._actions for string in action.option_strings} - {"-h", "--help"}


COMMANDS = commands(cli.parser())


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the README's or CONTRIBUTING's table whose first column is called so."""
    for text in (README, CONTRIBUTING):
        table = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
        if table:
            return [[cell.strip() for cell in line.strip("|").split(" |")] for line in table[1].splitlines()]
    raise AssertionError(f"no table of {heading}")


def test_readme_has_each_command_and_no_other() -> None:
    written = {re.sub(r" [A-Z]+$", "", row[0].strip("`")) for row in rows("command")}
    assert written == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_readme_has_each_option_and_no_other(command: str) -> None:
    row = next(row for row in rows("command") if re.sub(r" [A-Z]+$", "", row[0].strip("`")) == command)
    told = re.findall(r"--[a-z-]+", row[2])
    if row[2].strip() == "below":
        told = [row[0].strip("`") for row in rows(f"option of `{command.rpartition(' ')[2]}`")]
    assert sorted(told) == sorted(options(COMMANDS[command]))


def test_each_command_in_the_documents_can_be_parsed() -> None:
    blocks = "\n".join(re.findall(r"```sh\n(.*?)```", README + CONTRIBUTING, re.DOTALL))
    calls = [line.split("-m kdviz ")[1].split() for line in blocks.splitlines() if "-m kdviz " in line]
    assert calls
    for call in calls:
        cli.parser().parse_args(call)


@pytest.mark.parametrize("sentence", [sentence for sentence in catalogue.messages() if "`python -m kdviz " in sentence])
def test_each_command_in_a_sentence_can_be_parsed(sentence: str) -> None:
    # The remedy that an error or a page names must exist.
    for call in re.findall(r"`python -m kdviz ([^`]+)`", sentence):
        cli.parser().parse_args(re.sub(r"\{[a-z]+\}", "digits", call).split())


def test_readme_tells_the_choices_of_each_knob() -> None:
    for row in rows("option of `distill`"):
        name = {"data": "dataset"}.get(option := row[0].strip("`-"), option).replace("-", "_")
        if name in spec.KNOBS and name != "dataset":
            missing = [choice for choice in spec.KNOBS[name].metadata["choices"] if f"`{choice}`" not in row[2]]
            assert not missing
    assert not [name for name in data.SOURCES if f"`{name}`" not in README]


def test_readme_has_each_name_of_a_link_and_no_other() -> None:
    told = {row[0].strip("`"): set(re.findall(r"`([a-zA-Z]+)`", row[1])) for row in rows("page")}
    assert told == {
        "/": {setting.name for setting in subject.TABLE},
        "/distill": {"run", "distill"},
        "/paper": {setting.name for setting in paper_state.TABLE},
        "/teachers": {"run", *(field.name for field in dataclasses.fields(spec.TeacherSpec))},
        "every page": {"lang", hiding.LINK},
    }


def test_readme_has_each_control_that_a_link_hides_and_no_other() -> None:
    told = [name for row in rows("`hide=`") for name in re.findall(r"`([a-zA-Z]+)`", row[0])]
    assert told == list(hiding.CONTROLS)


def test_readme_has_each_variable_and_no_other() -> None:
    read = {
        node.value
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"KDVIZ_[A-Z_]+", node.value)
    }
    assert {row[0].strip("`") for row in rows("variable")} == read
    assert set(re.findall(r"KDVIZ_[A-Z_]+", README)) == read


def test_readme_gives_the_same_two_commands_in_both_languages() -> None:
    assert TEST_COMMAND is not None
    english, chinese = README.split("\n## 繁體中文\n")
    for command in ("pip install -r requirements.txt && .venv/bin/streamlit run app.py", TEST_COMMAND[0]):
        assert english.count(command) == chinese.count(command) == 1


def test_ci_runs_the_command_of_the_readme() -> None:
    assert TEST_COMMAND is not None
    assert TEST_COMMAND[0] in (ROOT / ".ci" / "run").read_text("utf-8").splitlines()


def pins(file: str) -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / file).read_text("utf-8").splitlines()]
    wanted = [line for line in lines if line and not line.startswith("-r ")]
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9.]+", line) for line in wanted), "every dependency is pinned, name==version"
    return dict(line.split("==") for line in wanted)


def test_each_dependency_says_what_it_replaces() -> None:
    assert [row[0] for row in rows("package")] == [*pins("requirements.txt"), *pins("requirements-dev.txt")]
    assert all(row[1] for row in rows("package"))


def test_each_import_is_declared() -> None:
    declared = {name.lower() for name in pins("requirements.txt")}
    given = packages_distributions()
    for module in modules():
        for found in imports(module):
            library = found.name.split(".")[0]
            if library not in sys.stdlib_module_names and library not in ("kdviz", "app"):
                names = {name.lower() for name in given.get(library, [library])}
                # Dask's own package comes with distributed, at the very same version.
                assert names & declared or library == "dask", f"{module}, line {found.line}: {library} is in no requirements"


def test_what_is_installed_is_what_is_pinned() -> None:
    for name, pinned in (pins("requirements.txt") | pins("requirements-dev.txt")).items():
        assert version(name).partition("+")[0] == pinned, f"{name}: install requirements-dev.txt again"


def test_version_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == kdviz.__version__
    assert project["name"] == "kdviz"


def test_changelog_is_kept_as_it_says() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines()
    releases = [line for line in lines if line.startswith("## ")]
    assert releases[0] == "## [Unreleased]"
    assert all(re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line) for line in releases[1:])
    kinds = {"### Added", "### Changed", "### Deprecated", "### Removed", "### Fixed", "### Security"}
    assert {line for line in lines if line.startswith("###")} <= kinds


def sources() -> list[Path]:
    """Return every text file of the project that is not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode != 0:
        pytest.skip("the list of files is git's, and this is no checkout")
    files = [ROOT / name for name in sorted(set(listed.stdout.split("\0"))) if name]
    return [file for file in files if file.is_file() and b"\0" not in file.read_bytes()]


def test_no_file_names_a_place_of_one_machine() -> None:
    folders = "|".join(("home", "root", "work", "Users", "tmp/dev"))
    place = re.compile(rf"(?<![\w.~}}/]/)(?<![\w.~}}])/(?:{folders})/\w")
    named = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for file in sources()
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if place.search(line)
    ]
    assert not named


def test_no_file_names_a_package_index() -> None:
    options = "|".join(("index", "extra-index", "find-links")) + "|trusted-host"
    asked = re.compile(rf"--(?:{options})(?:-url)?\b")
    assert not [file.name for file in sources() if file != Path(__file__) and asked.search(file.read_text("utf-8"))]
