"""docs/use/dashboard.md: it names every card, panel and page that there is."""

from __future__ import annotations

import re

from tests.support.tree import text

PAGE = "docs/use/dashboard.md"
PAGES = {
    "Overview": "overview/page",
    "Alerts": "alerts/page",
    "One alert": "alerts/detail",
    "Decisions": "decisions/page",
    "One decision": "decision/page",
    "Budgets": "answers/budgets",
    "Velocity": "answers/velocity",
    "Network": "answers/network",
    "Trust": "answers/trust",
    "Health": "answers/health",
}


def test_every_page_panel_and_card_is_explained() -> None:
    """A panel that is new or renamed would be a riddle to whoever opens the pages first."""
    for heading, module in PAGES.items():
        section = text(PAGE).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        code = text(f"dashboard/pages/{module}.py")
        panels = re.findall(r'panel\(\s*"[\w-]+",\s*"([^"]+)"', code)
        cards = re.findall(r'^ {8}\("[\w-]+", "([^"]+)"\),$', code, re.MULTILINE)
        assert panels
        assert [title for title in (*panels, *cards) if title not in section] == [], heading
