"""The house rules on code, as tests: what a reviewer would otherwise have to see every time.

They read the files that git tracks. A failure lists each place as `path:line: what is wrong`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys

from tests.support.tree import (
    ROOMS,
    ROOT,
    assert_none,
    docstrings,
    imports,
    modules,
    python_files,
    text,
    tree,
)

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70

# Owning a socket, a file of state, a process or a thread is what makes a module I/O.
IO_PACKAGES = {
    "asyncio", "chdb", "clickhouse_connect", "fcntl", "grpc", "httpx", "multiprocessing", "redis",
    "requests", "socket", "sqlite3", "subprocess", "threading", "uvicorn",
}  # fmt: skip

# Where a package may be imported at all: the first ships no types, the second is slow to load.
CONFINED = {
    "chdb": {"collector/store/connect.py"},
    "scapy": {"packet/decode/decode.py", "packet/files/pcapng_writer.py"},
}

# What is read in one place only, so that a test can pass another.
BANNED = {
    "time.time": {"collector/core/clock.py"},
    "time.time_ns": {"collector/core/clock.py"},
    "datetime.now": set[str](),
    "datetime.utcnow": set[str](),
    "datetime.today": set[str](),
    "os.environ": {"dashboard/settings/settings.py"},
    "os.getenv": {"dashboard/settings/settings.py"},
}


def test_file_fits_in_the_head() -> None:
    """A longer file is two things."""
    assert_none(
        f"{path}: {lines} lines, at most {FILE_LINES_MAX}"
        for path in python_files()
        if (lines := len(text(path).splitlines())) > FILE_LINES_MAX
    )


def test_function_fits_on_a_screen() -> None:
    """A longer function decides and does at once."""
    assert_none(
        f"{path}:{node.lineno}: {node.name} has {lines} lines, at most {FUNCTION_LINES_MAX}"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES_MAX
    )


def test_module_says_whether_it_is_pure() -> None:
    """A reader knows from the first line whether a module can block, fail or be slow."""
    assert_none(
        f"{path}:1: the docstring begins with neither 'Pure: ' nor 'I/O: '"
        for path in modules()
        if not (ast.get_docstring(tree(path)) or "").startswith(("Pure: ", "I/O: "))
    )


def test_pure_module_imports_no_io() -> None:
    """Values in, values out: a pure module is tested without a store, a network or a wait."""
    assert_none(
        f"{path}:{line}: pure, and imports {package}"
        for path in modules()
        if (ast.get_docstring(tree(path)) or "").startswith("Pure:")
        for line, package in imports(path)
        if package in IO_PACKAGES
    )


def test_room_init_holds_its_promise_and_no_code() -> None:
    """Everything is imported from the module that defines it."""
    assert_none(
        f"{path}: holds more than a docstring"
        for path in python_files(*ROOMS)
        if path.endswith("__init__.py")
        and path != "collector/instrument/__init__.py"  # its public names
        and len(tree(path).body) != 1
    )


def test_package_that_is_confined_stays_so() -> None:
    """One door each, so that what is slow or untyped can be found and replaced."""
    assert_none(
        f"{path}:{line}: {package} belongs in {', '.join(sorted(CONFINED[package]))}"
        for path in modules()
        for line, package in imports(path)
        if path not in CONFINED.get(package, {path})
    )


def test_time_and_environment_are_read_in_one_place() -> None:
    """What a test cannot replace by passing another object is read nowhere else."""
    assert_none(
        f"{path}:{node.lineno}: {name}"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        for name, allowed in BANNED.items()
        if path not in allowed and f".{ast.unparse(node)}".endswith(f".{name}")
    )


def test_nothing_is_printed() -> None:
    """A room logs; a command writes through its console."""
    assert_none(
        f"{path}:{node.lineno}: print()"
        for path in modules()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    )


def test_test_neither_sleeps_nor_patches() -> None:
    """A sleep is slow and still wrong at times; a patch tests the patch."""
    names = ("time." + "sleep", "asyncio." + "sleep", "monkey" + "patch", "unittest." + "mock")
    assert_none(
        f"{path}:{number}: {name}"
        for path in python_files("tests")
        for number, line in enumerate(text(path).splitlines(), 1)
        for name in names
        if name in line
    )


def test_property_draws_more_in_a_deep_run() -> None:
    """A number of its own is not multiplied."""
    assert_none(
        f"{path}:{number}: max_examples=examples(...) of tests.support.examples"
        for path in python_files()
        for number, line in enumerate(text(path).splitlines(), 1)
        if re.search(r"max_examples=\d", line)
    )


def test_ignore_carries_its_reason() -> None:
    """An exception without a reason becomes the rule."""
    bare = re.compile(
        r"#\s*(noqa(?!:)|noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*\s*$|type: ignore(\[[^]]*\])?\s*$)"
    )
    assert_none(
        f"{path}:{number}: {line.strip()}"
        for path in python_files()
        if path != "tests/house/test_tidy.py"
        for number, line in enumerate(text(path).splitlines(), 1)
        if bare.search(line)
    )


def test_imports_look_up_the_tree() -> None:
    """The layers of pyproject.toml, and the customer's side of the product."""
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


# A reader who is tired and not a native speaker is the measure.
BANNED_PHRASES = (
    "Say whether",
    "Say which",
    "Say how",
    "Say what",
    "Tell whether",
    "what became of",
)


def test_docstring_names_parameters_that_are_there() -> None:
    """A parameter that was renamed is looked for in vain."""
    assert_none(
        f"{path}:{node.lineno}: {node.name} has no parameter {name}, which its docstring has"
        for path in python_files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for name in described(ast.get_docstring(node) or "")
        if name not in {each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg)}
    )


def described(docstring: str) -> list[str]:
    """Return the parameters that a docstring has under `Args:`."""
    _, _, section = docstring.partition("\nArgs:\n")
    section = re.split(r"\n(?! )", section)[0]
    return re.findall(r"^    \**(\w+):", section, re.MULTILINE)


def test_docstring_is_plain_english() -> None:
    """Subject, verb, object: `Return the requests of an episode`."""
    assert_none(
        f"{path}:{node.lineno}: `{phrase}`; begin with what it returns or does"
        for path in modules()
        for node in docstrings(path)
        if isinstance(node, ast.Constant)
        for phrase in BANNED_PHRASES
        if phrase in str(node.value)
    )
