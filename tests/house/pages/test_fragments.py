"""Every fenced fragment of every page is well-formed, and names what there is."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
import yaml

from attribution.invest.file import parse_invest
from collector.store.connect import Connections
from dashboard.settings.settings import Settings
from tests.support.docs.pages import blocks, pages
from tests.support.tree import text

KNOWN = {
    "caddy", "csv", "json", "nginx", "python", "sh", "sql", "text", "toml", "xml", "yaml",
}  # fmt: skip


def fragments(language: str) -> list[tuple[str, str]]:
    """Return the fragments of a language, each with its page."""
    return [(page, block) for page in pages() for block in blocks(page, language)]


def test_languages_are_those_that_are_held() -> None:
    """A fragment in another language would be held by nobody."""
    found = {
        line.removeprefix("```")
        for page in pages()
        for line in text(page).splitlines()
        if line.startswith("```") and line != "```"
    }
    assert found <= KNOWN


@pytest.mark.parametrize(("page", "block"), fragments("sh"))
def test_shell_is_well_formed(page: str, block: str) -> None:
    """A quote that is not closed waits for ever at the reader's prompt."""
    done = subprocess.run(
        ["bash", "-n", "-c", block], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"{page}: {done.stderr}"


@pytest.mark.parametrize(("page", "block"), fragments("toml"))
def test_toml_is_taken(page: str, block: str) -> None:
    """Settings, a file of investments or of debt, or a ring of keys: the program's own models."""
    tree = tomllib.loads(block)
    if "mac" in tree:
        assert set(tree) <= {"mac", "checkpoint"}
    elif {"invest", "options", "debt", "tail"} & set(tree):
        parse_invest(page, block)
    else:
        Settings.model_validate(tree)


@pytest.mark.parametrize(("page", "block"), fragments("python"))
def test_python_imports_what_there_is(page: str, block: str) -> None:
    """A name that was moved fails in the reader's editor first."""
    for node in ast.walk(ast.parse(block, page)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.import_module(node.module or "")
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def exporters(tree: object) -> Iterator[str]:
    """Yield the exporters that the pipelines of an OpenTelemetry collector name."""
    if isinstance(tree, dict):
        for name, inner in tree.items():
            if name == "exporters" and isinstance(inner, list):
                yield from inner
            yield from exporters(inner)


@pytest.mark.parametrize(("page", "block"), fragments("yaml"))
def test_yaml_is_consistent(page: str, block: str) -> None:
    """A pipeline that names an exporter which is not there stops the reader's collector."""
    tree = yaml.safe_load(block)
    assert set(exporters(tree)) <= set(tree.get("exporters", {})), page


@pytest.mark.parametrize(("page", "block"), fragments("json"))
def test_json_is_json(page: str, block: str) -> None:
    """One object a line."""
    assert [json.loads(line) for line in block.splitlines()], page


@pytest.mark.parametrize(("page", "block"), fragments("xml"))
def test_xml_is_well_formed(page: str, block: str) -> None:
    """A server does not start with a file that is not."""
    assert ElementTree.fromstring(block).tag == "clickhouse", page


def test_sql_is_clickhouses(store: Connections) -> None:
    """The engine's own parser reads each statement."""
    for page, block in fragments("sql"):
        code = "\n".join(line.partition("--")[0] for line in block.splitlines())
        for statement in filter(str.strip, code.split(";")):
            bound = dict.fromkeys(re.findall(r"\{(\w+):UInt64\}", statement), 0)
            explained = store.client().query(f"EXPLAIN AST {statement}", parameters=bound)
            assert explained.result_rows, page
