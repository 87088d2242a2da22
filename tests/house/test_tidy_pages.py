"""The house rules on what is read and installed, as tests: pages, registry, dependencies."""

from __future__ import annotations

import ast
import re
import tomllib

from attribution.path.membership import Flag
from tests.support.tree import ROOMS, assert_none, docstrings, modules, text, tracked, tree

# A room makes its scratch directories; pages and images may name that of a container.
ROOMS_AT = tuple(f"{room}/" for room in ROOMS)
WIRE_NAME = r"(?:decision|outcome|latency|clock|provenance)\.[a-z_]+(?:\.[a-z_]+)*"


def test_file_names_no_registry_and_no_machine() -> None:
    """A clone installs from wherever its machine is told to, and holds nobody's paths."""
    # Written in pieces, so that this file does not name what it looks for.
    parts = [
        "pypi" + r"\.org",
        "pythonhosted" + r"\.org",
        "npmjs" + r"\.(org|com)",
        "yarnpkg" + r"\.com",
        "--(extra-)?index" + "-url",
        "find" + "-links",
        '"resolved": *"' + "http",
        r"(?<![\w./:-])/(work|home|root|Users)" + "/",
    ]
    anywhere = re.compile("|".join(parts))
    in_rooms = re.compile(r"(?<![\w./-])/tmp" + "(/|\\b)")
    assert_none(
        f"{path}:{number}: {line.strip()[:120]}"
        for path in tracked()
        for number, line in enumerate(text(path).splitlines(), 1)
        if anywhere.search(line) or (path.startswith(ROOMS_AT) and in_rooms.search(line))
    )


def test_no_page_builds_a_table_of_components() -> None:
    """Each is kept by the page for ever: a trace of 1,000 spans as rows hung the tab."""
    parts = {"Table", "Thead", "Tbody", "Tr", "Th", "Td"}
    assert_none(
        f"{path}:{node.lineno}: html.{node.attr}; use `table` of dashboard.pages.parts, or a grid"
        for path in modules()
        if path.startswith("dashboard/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in parts
        and isinstance(node.value, ast.Name)
        and node.value.id == "html"
    )


def test_changelog_keeps_its_shape() -> None:
    """Keep a Changelog 1.1: newest first, one sentence a line, so that branches merge by union."""
    lines = text("CHANGELOG.md").splitlines()
    sections = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    releases = [line for line in lines if line.startswith("## ")]
    body = lines[lines.index("## [Unreleased]") :]

    assert lines[0] == "# Changelog"
    assert releases[0] == "## [Unreleased]"
    assert_none(
        line
        for line in releases[1:]
        if not re.fullmatch(r"## \[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", line)
    )
    assert_none(line for line in body if line.startswith("### ") and line[4:] not in sections)
    assert_none(
        line
        for line in body
        if line
        and not line.startswith(("## ", "### ", "["))
        and not re.fullmatch(r"- .+[.)]", line)
    )


def wire_names_in_code() -> dict[str, str]:
    """Return the wire attributes that the rooms name, each with a place that names it."""
    found: dict[str, str] = {}
    for path in modules():
        skipped = docstrings(path)
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Constant) and node not in skipped:
                for name in re.findall(rf"\A{WIRE_NAME}\Z", str(node.value)):
                    found.setdefault(name, f"{path}:{node.lineno}")
    for path in (p for p in tracked() if p.startswith(ROOMS) and p.endswith(".sql")):
        for name in re.findall(rf"(?:\$\{{attr:|\[?')({WIRE_NAME})(?=[:'])", text(path)):
            found.setdefault(name, path)
    return found


def test_wire_attributes_are_those_of_the_registry() -> None:
    """docs/use/attributes.md, which a customer reads, holds all of them and no other."""
    in_code = wire_names_in_code()
    listed = set(re.findall(rf"^\| `({WIRE_NAME})`", text("docs/use/attributes.md"), re.MULTILINE))

    assert_none(
        f"{place}: {name} is not in docs/use/attributes.md"
        for name, place in in_code.items()
        if name not in listed
    )
    assert_none(
        f"docs/use/attributes.md: {name} is nowhere in the code"
        for name in sorted(listed - in_code.keys())
    )


def test_example_counts_a_decision_once() -> None:
    """Without FINAL a decision that a sender regrouped and sent again is two until a merge."""
    plain = re.compile(r"FROM decisions\b(?! (?:AS \w+ )?FINAL)")
    assert_none(
        f"{path}:{number}: {line.strip()[:120]}"
        for path in tracked()
        if path.endswith(".md") and not path.startswith("docs/adr/")
        for number, line in enumerate(text(path).splitlines(), 1)
        if plain.search(line)
    )


def test_flags_of_a_decision_are_explained() -> None:
    """`clipped_ingress` stands on nearly every decision, and whoever reads it looks it up."""
    part = text("docs/use/attributes.md").partition("## What is odd about a decision")[2]
    explained = re.findall(r"^\| `([a-z_]+)`", part, re.MULTILINE)
    assert explained == [str(flag.name).lower() for flag in Flag]


def test_dependency_is_justified_and_pinned() -> None:
    """What for, what else was weighed, the last release; and one exact version for everybody."""
    project = tomllib.loads(text("pyproject.toml"))
    wanted = [
        *project["project"]["dependencies"],
        *(name for extra in project["project"]["optional-dependencies"].values() for name in extra),
        *(name for group in project["dependency-groups"].values() for name in group),
        *project["build-system"]["requires"],
    ]
    names = {canonical(re.split(r"[<>=!~; ]", requirement)[0]) for requirement in wanted}
    pins = re.findall(r"^([\w.-]+)==([\w.]+)$", text("constraints.txt"), re.MULTILINE)
    pinned = {canonical(name): version for name, version in pins}
    page = "docs/dependencies.md"
    rows = re.findall(r"^\| `([\w.-]+)` \|.*\| (\S+) \|$", text(page), re.MULTILINE)
    justified = {canonical(name): version for name, version in rows}

    assert_none(f"constraints.txt: {name} is not pinned" for name in names - pinned.keys())
    assert_none(
        f"docs/dependencies.md: {name} is not in the table" for name in names - justified.keys()
    )
    assert_none(
        f"{page}: {name} {version} is pinned as {pinned.get(name)}"
        for name, version in justified.items()
        if pinned.get(name) != version
    )


def test_dependency_stands_under_its_extra() -> None:
    """A reader learns from the page what an install brings."""
    project = tomllib.loads(text("pyproject.toml"))
    groups = {
        "base": project["project"]["dependencies"],
        **project["project"]["optional-dependencies"],
        "dev": project["dependency-groups"]["dev"],
        "build": project["build-system"]["requires"],
    }
    wanted: dict[str, list[str]] = {}
    for group, requirements in groups.items():
        for requirement in requirements:
            wanted.setdefault(canonical(re.split(r"[<>=!~; ]", requirement)[0]), []).append(group)
    rows = re.findall(
        r"^\| `([\w.-]+)` \| ([\w, ]+) \|", text("docs/dependencies.md"), re.MULTILINE
    )
    assert {canonical(name): extra.split(", ") for name, extra in rows} == wanted


def canonical(name: str) -> str:
    """Return a distribution's name as package indexes compare it, without extras."""
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()
