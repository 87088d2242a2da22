"""What the README tells a newcomer to type has to work."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from collector.imports.outcomes import OutcomeRow, parse_outcomes
from dashboard.cli.main import app
from dashboard.settings.settings import Settings
from tests.support.readme import READ_NS
from tests.support.tree import text


def block(language: str) -> str:
    """Return the README's one code block in a language."""
    [found] = re.findall(rf"```{language}\n(.*?)```", text("README.md"), re.DOTALL)
    return str(found)


def test_settings_of_the_readme_are_settings() -> None:
    """A key that was renamed would stop a newcomer's first start."""
    settings = Settings.model_validate(tomllib.loads(block("toml")))

    assert settings.attributes.name("decision.action") == "shop.operation"
    assert settings.decisions.match[0].action == "checkout"


def test_outcomes_of_the_readme_are_imported_whole() -> None:
    """A refused line in the example would be copied."""
    rows = list(parse_outcomes("README.md", block("csv").encode(), "USD", READ_NS))

    assert [row.outcome_id for row in rows if isinstance(row, OutcomeRow)] == ["A-1001", "A-1001-r"]


def test_readme_names_every_command() -> None:
    """The table is what an operator searches first."""
    known = set(commands())
    groups = {name.split()[0] for name in known if " " in name}
    cells = re.findall(r"^\| (`millworth .*?`) \| ", text("README.md"), re.MULTILINE)
    listed = set()
    for name, subs in re.findall(
        r"`millworth ([a-z-]+)(?: ([a-z-]+(?:\\\|[a-z-]+)*))?", " ".join(cells)
    ):
        parts = subs.split("\\|") if name in groups else [""]
        listed |= {f"{name} {part}".strip() for part in parts}

    assert listed == known


def commands() -> Iterator[str]:
    """Yield every command that the program has, with its group before it."""
    for command in app.registered_commands:
        assert command.callback is not None
        yield command.name or command.callback.__name__
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            yield f"{group.name} {command.name}"
        for inner in group.typer_instance.registered_groups:
            yield f"{group.name} {inner.name}"
