"""Floor 7: reads the folders of rules and cards into one `Pack`, all or nothing."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from cds_service.cards import load_cards, rule_problems
from cds_service.errors import RulebookInvalid
from cds_service.facts.order import FactContext
from cds_service.rulebook.rulebook import load_rulebook
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.service import Pack
from cds_service.terminology.site_files import NO_SITE_FILES, SiteFiles, read_terminology

_TEXTS: Final = frozenset([".yaml", ".yml", ".csv", ".json"])
_NOT_CARDS: Final = frozenset(["library", "override-reasons"])


def files_in(folder: Path) -> dict[str, str]:
    """Read every YAML, CSV and JSON file of a folder, by its path below it; raises OSError or UnicodeDecodeError."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix in _TEXTS)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def read_pack(rules_dir: Path, cards_dir: Path, site: str = "", site_files: SiteFiles = NO_SITE_FILES) -> Pack:
    """Load rules, cards and terminology together; raises RulebookInvalid with every problem that could be found."""
    return read_packs(rules_dir, cards_dir, [site], site_files)[site]


def read_packs(rules_dir: Path, cards_dir: Path, sites: Iterable[str], site_files: SiteFiles = NO_SITE_FILES) -> dict[str, Pack]:
    """Load the pack of each site, all from one reading of the files; `site_files` are the terminology that a site adds; raises RulebookInvalid."""
    rules = files_in(rules_dir)
    cards = {name: text for name, text in files_in(cards_dir).items() if name.endswith(".yaml")}
    terminology = read_terminology(rules, site_files)
    drugs, conditions = terminology.drugs, terminology.conditions
    vocabulary = Vocabulary(drugs.classes, conditions.valuesets, card_ids(cards))

    def pack_of(site: str) -> Pack:
        rulebook = load_rulebook(rules, vocabulary, site)
        rulebook = replace(rulebook, hash=terminology.pack_hash(rulebook.hash))
        library = load_cards(cards, rulebook.manifest.canonical)
        problems = rule_problems(library, rulebook.evaluated)
        if problems:
            raise RulebookInvalid(problems)
        manifest = rulebook.manifest
        context = FactContext(
            conditions,
            manifest.dose_classes,
            manifest.signals,
            manifest.depot_durations,
            manifest.indications,
            drug_words=drug_words(rules),
            courses=manifest.longest_courses,
        )
        return Pack(rulebook, library, drugs, conditions, context)

    return {site: pack_of(site) for site in dict.fromkeys(sites)}


def card_ids(cards: dict[str, str]) -> frozenset[str]:
    """Name the cards that a folder of card files describes."""
    return frozenset(name.removesuffix(".yaml") for name in cards) - _NOT_CARDS


def drug_words(rules: Mapping[str, str]) -> frozenset[str]:
    """Return the lower-case words of all drug names: a dosing text may hold them, and they say nothing about the dose."""
    rows = (row for file in ("names", "own-names") for row in csv.DictReader(rules.get(f"drugs/{file}.csv", "").splitlines()))
    return frozenset(name for row in rows if re.fullmatch(r"[a-z]{3,}", name := row["name"].lower()))
