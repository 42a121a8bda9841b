"""Floor 4: the error codes of rule, case, site and manifest files, each with what it means; the docs show this table."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "RULE-001": "a value has the wrong shape: a mapping, a list or a text was expected",
        "RULE-002": "a key that this place does not know",
        "RULE-003": "a key that this place needs is missing",
        "RULE-004": "an id that is not kebab-case, or differs from the name of its file",
        "RULE-005": "two rules with one id",
        "RULE-006": "a word that is not among the allowed ones",
        "RULE-007": "a date that is not written as 2026-11-22",
        "RULE-008": "a number that is not written as 7 or 4.5, or lies outside what is allowed",
        "RULE-009": "a card that does not exist",
        "RULE-010": "a rule or a threshold without reference, or with one that is not listed",
        "RULE-011": "an address that does not begin with https://",
        "RULE-012": "a threshold without dated values, or with dates that stand twice or do not rise",
        "RULE-013": "a unit that is not in the table of units",
        "RULE-014": "a fact that does not exist",
        "RULE-015": "an operator that does not exist, or does not go with this type of fact",
        "RULE-016": "a quantity or threshold whose unit cannot be converted to that of the fact",
        "RULE-017": "a threshold that the rule does not have",
        "RULE-018": "a word that is not in the vocabulary of the fact",
        "RULE-019": "a group, a list or a test that is empty",
        "RULE-020": "a fact that can stand on a card but not in a rule",
        "RULE-021": "`exposures` without exactly one of `some` and `none`, or inside itself",
        "RULE-022": "a value that is not true or false",
        "RULE-023": "a quantity that is not a number, a space and a unit",
        "RULE-024": "a file in a place where no rule, case, site or manifest file stands",
        "RULE-030": "a case file whose rule does not exist",
        "RULE-031": "a fact of a case that cannot be read",
        "RULE-032": "an expectation that cannot be read",
        "RULE-033": "two cases of one rule with one name",
        "RULE-034": "`because` names a fact that the case does not give",
        "RULE-040": "a site file that names a rule or threshold that does not exist",
        "RULE-041": "a site that moves a threshold further than the rule lets it",
        "RULE-042": "a site that has no file",
        "RULE-050": "no manifest",
        "RULE-051": "dose classes whose bounds do not rise, or whose last one has a limit",
        "RULE-052": "source attributes that are not the thirteen of 45 CFR 170.315(b)(11)",
        "RULE-060": "a case whose rule answers otherwise than expected",
        "RULE-061": "a case in which changing the fact under `because` changes nothing",
        "RULE-062": "an active rule without a case of a needed sort: firing, quiet, boundary, unknown",
        "RULE-063": "an active rule with a test that no case makes true, or none makes false",
        "RULE-064": "a reference that nobody has checked within twelve months (a warning)",
    }
)
