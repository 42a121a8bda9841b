"""Floor 4: the loaded whole: every rule, its cases, the manifest, and what the rest of the program asks of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_CEILING, Decimal
from hashlib import sha256
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Final

from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.facts.registry import FACTS, Words
from cds_service.quantities import Quantity, in_unit
from cds_service.rulebook.cases import Case, read_cases
from cds_service.rulebook.lines import lines_of
from cds_service.rulebook.loader import read_rule
from cds_service.rulebook.manifest import Manifest, read_manifest
from cds_service.rulebook.readiness import stale_references, unready
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.running import CaseResult, run_cases
from cds_service.rulebook.sites import read_site
from cds_service.rulebook.types import Line, Rule, Status
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.unknown import Unknown

MANIFEST: Final = "manifest.yaml"
CASES: Final = ".test.yaml"
SITES: Final = "sites"
TABLES: Final = frozenset(["drugs", "valuesets", "sentinels"])
"""Folders under the rules that hold terminology and sentinels, which others read."""
_EVALUATED: Final = frozenset([Status.SILENT, Status.ACTIVE])
_EXPOSURES_READ: Final = frozenset(["medications", "history", "conditions"])


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules of a pack as one site has them in force, sorted by priority, then id.

    `as_shipped` holds the rules without the site's changes, by id: case files speak of these. `hash` is the SHA-256 of
    every file handed in, in hexadecimal.
    """

    rules: tuple[Rule, ...]
    as_shipped: Mapping[str, Rule]
    cases: Mapping[str, tuple[Case, ...]]
    manifest: Manifest
    hash: str
    site: str = ""

    @property
    def evaluated(self) -> tuple[Rule, ...]:
        """The silent and active rules; drafts and retired ones are loaded and checked, never evaluated."""
        return tuple(rule for rule in self.rules if rule.status in _EVALUATED)

    def rules_for(self, hook: str, classes: Words | Unknown) -> tuple[Rule, ...]:
        """Return the rules to evaluate for a draft of these drug classes; all of the hook where the drug is unknown."""
        return tuple(
            rule
            for rule in self.rules
            if rule.status in _EVALUATED
            and hook in rule.hooks
            and (not rule.classes or isinstance(classes, Unknown) or not rule.classes.isdisjoint(classes))
        )

    def facts_used(self) -> frozenset[str]:
        """Return the facts that evaluated rules test, those of exposures with "exposures." in front."""
        return frozenset(f"exposures.{line.fact}" if is_of_exposure else line.fact for line, is_of_exposure in self._lines())

    def kinds_used(self) -> frozenset[str]:
        """Return the kinds of data that evaluated rules rest on, for prefetch templates."""
        used = self.facts_used()
        read = frozenset(kind for name in used if name in FACTS for kind in FACTS[name].reads)
        return read | _EXPOSURES_READ if any(name.startswith("exposures.") for name in used) else read

    def drug_classes_of_interest(self) -> Words:
        """Return the drug classes that evaluated rules name, of orders and of exposures."""
        words = (line.operand for line, _ in self._lines() if line.fact in {"order.drug", "drug"})
        return frozenset().union(*(operand for operand in words if isinstance(operand, frozenset)))

    @property
    def longest_interval_days(self) -> int:
        """The largest number of days in any threshold of evaluated rules, whenever in force: how far history matters."""
        quantities = (
            Quantity(value, threshold.unit)
            for rule in self.evaluated
            for threshold in rule.thresholds.values()
            for _, value in threshold.in_force
        )
        days = (in_unit(quantity, "d") for quantity in quantities)
        longest = max((value for value in days if value is not None), default=Decimal(0))
        return int(longest.to_integral_value(ROUND_CEILING))

    def run_cases(self) -> tuple[CaseResult, ...]:
        """Run every case of every rule as shipped."""
        return tuple(result for name, cases in sorted(self.cases.items()) for result in run_cases(self.as_shipped[name], cases))

    def problems(self) -> tuple[Problem, ...]:
        """Return what keeps active rules from being active, by place; for `cds-service check`."""
        active = ((replace(self.as_shipped[rule.id], status=rule.status), self.cases.get(rule.id, ())) for rule in self.rules)
        return tuple(sorted(problem for rule, cases in active for problem in unready(rule, cases)))

    def warnings(self, today: date) -> tuple[Problem, ...]:
        """Return the references of evaluated rules that nobody has checked within twelve months of `today`."""
        return tuple(sorted(problem for rule in self.evaluated for problem in stale_references(rule, today)))

    def _lines(self) -> Iterator[tuple[Line, bool]]:
        for rule in self.evaluated:
            yield from lines_of(rule.when, rule.unless)


def load_rulebook(files: Mapping[str, str], vocabulary: Vocabulary, site: str = "", *, root: str = "rules") -> Rulebook:
    """Load a pack from texts by path under the rules folder; raises RulebookInvalid with all problems of all files at once.

    `root` stands in front of the paths in problems. Files of other sorts (terminology) count in the hash alone.
    """
    loading = _Loading(files, vocabulary, root, Reader())
    rules = loading.rules()
    cases = loading.cases()
    manifest = loading.manifest()
    shipped = {name: rule for name, rule in rules.items() if rule}
    changed = loading.site(site, rules)
    loading.strays()
    if manifest is None or loading.reader.problems:
        raise RulebookInvalid(loading.reader.problems)
    in_force = sorted({**shipped, **changed}.values(), key=lambda rule: (rule.priority, rule.id))
    return Rulebook(tuple(in_force), MappingProxyType(shipped), MappingProxyType(cases), manifest, hash_of(files), site)


def hash_of(files: Mapping[str, str]) -> str:
    """Return the SHA-256 of all files, paths included; the order in which they are handed in does not matter."""
    digest = sha256()
    for path, text in sorted(files.items()):
        data = text.encode()
        digest.update(f"{path}\n{len(data)}\n".encode())
        digest.update(data)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Loading:
    """Reads the files of one pack, sort by sort."""

    files: Mapping[str, str]
    vocabulary: Vocabulary
    root: str
    reader: Reader

    def rules(self) -> dict[str, Rule | None]:
        """Read every rule, by id; `None` for one that has problems."""
        rules: dict[str, Rule | None] = {}
        for path in self._paths("rule"):
            rule, name = read_rule(self.files[path], self._shown(path), self.vocabulary, self.reader), PurePosixPath(path).stem
            if name in rules:
                self.reader.refuse(self._start(path), "RULE-005", f"two rules have the id '{name}'")
            rules[name] = rule
        return rules

    def cases(self) -> dict[str, tuple[Case, ...]]:
        """Read every case file, by rule."""
        return {PurePosixPath(path).name.removesuffix(CASES): self._cases_in(path) for path in self._paths("cases")}

    def manifest(self) -> Manifest | None:
        """Read the manifest."""
        if MANIFEST not in self.files:
            self.reader.refuse(self._start(MANIFEST), "RULE-050", "the pack has no manifest")
            return None
        return read_manifest(self.files[MANIFEST], self._shown(MANIFEST), self.vocabulary, self.reader)

    def site(self, site: str, rules: Mapping[str, Rule | None]) -> dict[str, Rule]:
        """Check the files of all sites, and return the rules that the named one changes."""
        sites = {
            PurePosixPath(path).stem: read_site(self.files[path], self._shown(path), rules, self.reader) for path in self._paths("site")
        }
        if site and site not in sites:
            known = ", ".join(sorted(sites)) or "none"
            self.reader.refuse(self._start(f"{SITES}/{site}.yaml"), "RULE-042", f"no site '{site}'; there is: {known}")
        return sites.get(site, {})

    def strays(self) -> None:
        """Note YAML files that nothing reads: a rule in the wrong place must not be overlooked."""
        for path in self._paths("stray"):
            self.reader.refuse(self._start(path), "RULE-024", "rules stand in <pack>/<rule>.yaml, cases beside them, sites in sites/")

    def _cases_in(self, path: str) -> tuple[Case, ...]:
        folder = PurePosixPath(path).parent
        beside = frozenset(PurePosixPath(rule).stem for rule in self._paths("rule") if PurePosixPath(rule).parent == folder)
        return read_cases(self.files[path], self._shown(path), beside, self.vocabulary, self.reader)

    def _paths(self, sort: str) -> list[str]:
        return sorted(path for path in self.files if _sort_of(path) == sort)

    def _shown(self, path: str) -> str:
        return f"{self.root}/{path}"

    def _start(self, path: str) -> Location:
        return Location(self._shown(path), 1, 1)


def _sort_of(path: str) -> str:
    """Tell what a file under the rules folder is: manifest, site, rule, cases, stray YAML, or something that others read."""
    folder, _, name = path.partition("/")
    if path == MANIFEST or folder in TABLES or not path.endswith((".yaml", ".yml")):
        return "other"
    if not name or "/" in name or name.endswith(".yml"):
        return "stray"
    if folder == SITES:
        return "site"
    return "cases" if name.endswith(CASES) else "rule"
