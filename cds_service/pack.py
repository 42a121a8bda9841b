"""Floor 7: reads the folders of rules and cards into one `Pack`, all or nothing."""

from pathlib import Path
from typing import Final

from cds_service.cards import load_cards, rule_problems
from cds_service.errors import RulebookInvalid
from cds_service.facts.order import FactContext
from cds_service.rulebook.rulebook import load_rulebook
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.service import Pack
from cds_service.terminology import read_condition_index, read_drug_index

_TEXTS: Final = frozenset([".yaml", ".yml", ".csv", ".json"])
_NOT_CARDS: Final = frozenset(["library", "override-reasons"])


def files_in(folder: Path) -> dict[str, str]:
    """Read every YAML, CSV and JSON file of a folder, by its path below it; raises OSError or UnicodeDecodeError."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in _TEXTS)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def read_pack(rules_dir: Path, cards_dir: Path, site: str = "") -> Pack:
    """Load rules, cards and terminology together; raises RulebookInvalid with every problem that could be found."""
    rules = files_in(rules_dir)
    cards = {name: text for name, text in files_in(cards_dir).items() if name.endswith(".yaml")}
    drugs, conditions = read_drug_index(rules), read_condition_index(rules)
    vocabulary = Vocabulary(drugs.classes, conditions.valuesets, card_ids(cards))
    rulebook = load_rulebook(rules, vocabulary, site)
    library = load_cards(cards, rulebook.manifest.canonical)
    problems = rule_problems(library, rulebook.evaluated)
    if problems:
        raise RulebookInvalid(problems)
    manifest = rulebook.manifest
    context = FactContext(conditions, manifest.dose_classes, manifest.signals, manifest.depot_durations, manifest.indications)
    return Pack(rulebook, library, drugs, conditions, context)


def card_ids(cards: dict[str, str]) -> frozenset[str]:
    """Name the cards that a folder of card files describes."""
    return frozenset(name.removesuffix(".yaml") for name in cards) - _NOT_CARDS
