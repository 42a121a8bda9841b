"""Every hazard names its guard and tests that exist."""

import ast
from pathlib import Path

from cds_service.located import as_plain, read_yaml

ROOT = Path(__file__).parent.parent
HAZARDS = as_plain(read_yaml((ROOT / "docs/safety/hazards.yaml").read_text(encoding="utf-8"), "hazards.yaml"))["hazards"]


def test_every_hazard_says_what_guards_against_it() -> None:
    assert [hazard["id"] for hazard in HAZARDS if not (hazard["hazard"] and hazard["guard"] and hazard["shown_by"])] == []


def test_hazards_are_numbered_once_each() -> None:
    ids = [hazard["id"] for hazard in HAZARDS]
    assert ids == sorted(set(ids))


def test_every_test_that_a_hazard_names_exists() -> None:
    named = [shown for hazard in HAZARDS for shown in hazard["shown_by"]]
    assert [shown for shown in named if not _exists(shown)] == []


def _exists(shown: str) -> bool:
    file, _, function = shown.partition("::")
    path = ROOT / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.exists() else ast.Module([], [])
    return function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
