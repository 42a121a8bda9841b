"""What a loaded pack holds: rules, thresholds, references, sites, manifest, hash and the questions others ask of it."""

from datetime import date
from decimal import Decimal

import pytest

from cds_service.errors import RulebookInvalid
from cds_service.facts.dose_class import DoseClasses
from cds_service.quantities import exactly
from cds_service.rulebook.lines import drug_classes_of, lines_of
from cds_service.rulebook.loader import read_rule
from cds_service.rulebook.manifest import ServiceText
from cds_service.rulebook.readiness import is_stale
from cds_service.rulebook.reading import Reader
from cds_service.rulebook.rulebook import Rulebook, hash_of
from cds_service.rulebook.types import Reference, Rule, Severity, Status, Threshold
from cds_service.unknown import Unknown
from tests.rulebook_pack import BROKEN, RULE, TODAY, VOCABULARY, base, pack, rule, span

CLASSES = DoseClasses(
    "blocker",
    frozenset(["combination"]),
    "standard",
    (("low-dose", Decimal("4.5"), True), ("intermediate", Decimal(50), False), ("standard", None, False)),
)


def text(name: str, when: str, **more: str) -> str:
    fields = {"severity": "info", "unless": "{order.is_being_stopped: {is: true}}", "if_unknown": "hold", **more}
    return RULE.format(when=when, **fields).replace("id: sample", f"id: {name}")


def test_a_rule_holds_what_its_file_says() -> None:
    loaded = pack().as_shipped["conflict"]
    assert (loaded.id, loaded.title, loaded.kind, loaded.status) == (
        "conflict",
        "An agonist with the blocker",
        "opioid-conflict",
        Status.ACTIVE,
    )
    assert (loaded.version, loaded.hooks, loaded.card) == (1, frozenset(["order-select", "order-sign"]), "conflict")
    assert (loaded.priority, loaded.severity, loaded.says, loaded.if_unknown) == (100, Severity.INFO, "", "fire")
    assert (str(loaded.where), loaded.site_override, loaded.classes) == ("rules/pack/conflict.yaml:1:1", "", frozenset(["blocker"]))


def test_thresholds_and_references_are_read_with_dates_and_decimals() -> None:
    loaded = pack().as_shipped["conflict"]
    values = ((date(2013, 10, 1), Decimal(0)), (date(2020, 1, 1), Decimal(1)))
    assert dict(loaded.thresholds) == {"margin": Threshold("margin", "d", values, "label", "raise")}
    assert loaded.references == (Reference("label", "The label", TODAY, "4", "https://example.org/label", date(2013, 10, 1)),)


def test_quoted_numbers_and_optional_keys_are_read() -> None:
    changed = text("sample", "{order.is_first: {is: true}}", severity="critical\npriority: 7\nsays: a").replace(
        "value: 4.5", 'value: "0.10"'
    )
    loaded = pack({"pack/sample.yaml": changed}).as_shipped["sample"]
    assert (loaded.severity, loaded.priority, loaded.says) == (Severity.CRITICAL, 7, "a")
    assert loaded.thresholds["limit"].in_force[0] == (date(2020, 1, 1), Decimal("0.10"))
    assert loaded.thresholds["limit"].site_may == "nothing"
    assert loaded.references[0] == Reference("label", "The label", TODAY)


@pytest.mark.parametrize(("word", "kept"), [("lower", "lower"), ("raise", "raise"), ("nothing", "nothing")])
def test_what_a_site_may_is_kept(word: str, kept: str) -> None:
    changed = text("sample", "{order.is_first: {is: true}}").replace("site_may: nothing", f"site_may: {word}")
    assert pack({"pack/sample.yaml": changed}).as_shipped["sample"].thresholds["limit"].site_may == kept


def test_a_line_stands_at_its_operator() -> None:
    lines = {f"{line.fact} {line.operator}": str(line.where) for line, _ in lines_of(pack().as_shipped["conflict"].when)}
    assert lines["days_short_of_opioid_free above"] == "rules/pack/conflict.yaml:22:73"


@pytest.mark.parametrize(
    ("when", "classes"),
    [
        ("{order.is_first: {is: true}}", []),
        ("{order.drug: {in: blocker}}", ["blocker"]),
        ("{order.drug: {any_in: [blocker, agonist]}}", ["agonist", "blocker"]),
        ("{order.drug: {one_of: blocker}}", ["blocker"]),
        ("{order.drug: {none_in: blocker}}", []),
        ("{order.drug: {is_known: true}}", []),
        ("{exposures: {some: {drug: {in: blocker}}}}", []),
        ("{all: [{order.drug: {in: blocker}}]}", ["blocker"]),
        ("{order.drug: {in: [blocker, agonist]}, all: [{order.drug: {in: depot}}]}", ["depot"]),
        ("{any: [{order.drug: {in: blocker}}, {order.drug: {in: agonist}}]}", ["agonist", "blocker"]),
        ("{any: [{order.drug: {in: blocker}}, {order.is_first: {is: true}}]}", []),
        ("{any: [{any: [{order.drug: {in: blocker}}]}]}", ["blocker"]),
    ],
)
def test_a_rule_knows_the_drug_classes_that_it_can_concern(when: str, classes: list[str]) -> None:
    loaded = rule(when)
    assert sorted(loaded.classes) == classes
    assert drug_classes_of(loaded.when) == loaded.classes


@pytest.fixture
def many() -> dict[str, str]:
    return {
        "pack/every.yaml": text("every", "{order.drug_is_known: {is: false}}"),
        "pack/silent.yaml": text("silent", "{order.drug: {in: depot}}").replace("status: active", "status: silent"),
        "pack/early.yaml": text("early", "{order.drug: {in: blocker}}", severity="info\npriority: 1"),
        "pack/draft.yaml": text("draft", "{patient.conditions: {any_in: pain}, order.drug: {in: combination}}").replace(
            "status: active", "status: draft"
        ),
        "pack/retired.yaml": text("retired", "{data.patient: {in: complete}}").replace("status: active", "status: retired"),
    }


def names(rules: tuple[Rule, ...]) -> list[str]:
    return [one.id for one in rules]


def test_rules_come_by_priority_then_id(many: dict[str, str]) -> None:
    assert names(pack(many).rules) == ["early", "conflict", "draft", "every", "retired", "silent"]


@pytest.mark.parametrize(
    ("hook", "classes", "expected"),
    [
        ("order-sign", frozenset(["blocker"]), ["early", "conflict", "every"]),
        ("order-sign", frozenset(["blocker", "depot"]), ["early", "conflict", "every", "silent"]),
        ("order-sign", frozenset(), ["every"]),
        ("order-sign", Unknown("no-code"), ["early", "conflict", "every", "silent"]),
        ("order-select", frozenset(["blocker"]), ["conflict"]),
        ("order-dispatch", frozenset(["blocker"]), []),
    ],
)
def test_rules_for_a_draft_are_found_by_hook_and_drug_class(
    many: dict[str, str], hook: str, classes: frozenset[str], expected: list[str]
) -> None:
    assert names(pack(many).rules_for(hook, classes)) == expected


def test_only_evaluated_rules_say_which_facts_kinds_and_classes_are_used(many: dict[str, str]) -> None:
    loaded = pack(many)
    assert loaded.facts_used() == {
        "order.drug", "order.drug_is_known", "order.is_being_stopped",
        "exposures.drug", "exposures.is_current", "exposures.days_short_of_opioid_free",
    }  # fmt: skip
    assert loaded.kinds_used() == {"medications", "history", "conditions"}
    assert loaded.drug_classes_of_interest() == {"blocker", "agonist", "depot"}
    assert names(loaded.evaluated) == ["early", "conflict", "every", "silent"]


def test_without_exposures_only_the_kinds_that_facts_read_are_used(many: dict[str, str]) -> None:
    quiet = {
        "pack/conflict.yaml": base()["pack/conflict.yaml"].replace("status: active", "status: retired"),
        "sites/north.yaml": "site: north\nrules: {}\n",
    }
    assert pack({**many, **quiet}).kinds_used() == frozenset()
    first = text("first", "{order.indication: {any_in: pain}, data.patient: {in: complete}}")
    assert pack({**many, **quiet, "pack/first.yaml": first}).kinds_used() == {"conditions", "patient"}


@pytest.mark.parametrize(("unit", "value", "days"), [("d", "300", 300), ("wk", "2", 14), ("h", "36", 2), ("mg/d", "300", 1)])
def test_the_longest_interval_is_the_largest_threshold_in_days(unit: str, value: str, days: int) -> None:
    changed = (
        text("sample", "{order.is_first: {is: true}}")
        .replace("unit: mg/d", f"unit: {unit}")
        .replace("value: 4.5", f"value: {value}")
        .replace("value: 6", "value: 1")
    )
    assert pack({"pack/sample.yaml": changed}).longest_interval_days == days


def test_without_thresholds_there_is_no_interval() -> None:
    rules = base()["pack/conflict.yaml"].replace("status: active", "status: draft")
    assert pack({"pack/conflict.yaml": rules}).longest_interval_days == 0


def test_a_site_changes_status_and_thresholds_and_the_rule_says_so() -> None:
    changed = pack(site="north").rules[0]
    assert (changed.status, changed.site_override) == (Status.SILENT, "status, thresholds.margin")
    assert changed.thresholds["margin"].in_force == ((date(2013, 10, 1), Decimal(3)),)
    assert pack(site="north").site == "north"
    assert pack(site="north").as_shipped["conflict"].status is Status.ACTIVE


def test_a_site_that_is_not_named_changes_nothing() -> None:
    assert (pack().rules[0].status, pack().rules[0].site_override, pack().site) == (Status.ACTIVE, "", "")


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("{status: silent}", "status"),
        ("{thresholds: {margin: 1 wk}}", "thresholds.margin"),
        ("{thresholds: {margin: 1 d}}", "thresholds.margin"),
        ("{why: later}", ""),
    ],
)
def test_a_site_may_change_one_thing_alone(override: str, said: str) -> None:
    site = f"site: north\nrules: {{conflict: {override}}}\n"
    assert pack({"sites/north.yaml": site}, "north").rules[0].site_override == said


@pytest.mark.parametrize(
    ("site_may", "value", "is_taken"),
    [
        ("raise", "6", True),
        ("raise", "7", True),
        ("raise", "5", False),
        ("lower", "4.5", True),
        ("lower", "1", True),
        ("lower", "5", False),
        ("nothing", "4.5", False),
    ],
)
def test_a_site_moves_a_threshold_beyond_all_its_values_on_the_allowed_side(site_may: str, value: str, is_taken: bool) -> None:  # noqa: FBT001
    changed = text("sample", "{order.is_first: {is: true}}").replace("site_may: nothing", f"site_may: {site_may}")
    files = {"pack/sample.yaml": changed, "sites/north.yaml": f"site: north\nrules: {{sample: {{thresholds: {{limit: {value} mg/d}}}}}}\n"}
    if is_taken:
        assert pack(files, "north").rules[1].thresholds["limit"].in_force == ((date(2020, 1, 1), Decimal(value)),)
    else:
        with pytest.raises(RulebookInvalid, match="RULE-041"):
            pack(files)


def test_a_site_that_makes_a_rule_active_needs_the_cases_of_an_active_rule() -> None:
    draft = text("sample", "{order.is_first: {is: true}}").replace("status: active", "status: draft")
    files = {"pack/sample.yaml": draft, "sites/north.yaml": "site: north\nrules: {sample: {status: active}}\n"}
    assert pack(files).problems() == ()
    assert [problem.code for problem in pack(files, "north").problems()] == ["RULE-062"] * 3 + ["RULE-063"] * 4


def test_a_site_that_moves_a_threshold_does_not_upset_the_cases_of_the_pack() -> None:
    site = {"sites/north.yaml": "site: north\nrules: {conflict: {thresholds: {margin: 30 d}}}\n"}
    assert pack(site, "north").problems() == ()


def test_the_manifest_holds_what_its_file_says() -> None:
    manifest = pack().manifest
    assert (manifest.id, manifest.title, manifest.version, manifest.canonical) == (
        "sample",
        "A sample pack",
        "2026.11.0",
        "https://example.org/fhir",
    )
    assert (manifest.released, manifest.revised, manifest.license) == (TODAY, TODAY, "Apache-2.0")
    assert (manifest.developer, manifest.funding, manifest.intended_use) == ("nobody", "none", "Tests.")
    assert (len(manifest.source_attributes), manifest.source_attributes[4]) == (13, ("race", "not used"))
    assert manifest.dose_classes == CLASSES
    assert [reference.id for reference in manifest.references] == ["review"]
    assert manifest.services == (ServiceText("sample-order-sign", "order-sign", "Advice at signing", "Advises.", "Send everything."),)
    assert manifest.indications == {"pain", "dependence"}
    assert dict(manifest.signals) == {"dependence": frozenset(["agonist"])}
    assert {name: round(days, 6) for name, days in manifest.depot_durations.items()} == {"ingredient": Decimal(28)}
    assert dict(manifest.longest_courses) == {}


COURSES = """longest_courses:
  completed: 90 d
  stopped: 52 wk
  reference: review
"""


def _with_courses(courses: str) -> Rulebook:
    return pack({"manifest.yaml": base()["manifest.yaml"] + courses})


def test_the_manifest_says_how_long_a_course_without_an_end_lasts() -> None:
    found = _with_courses(COURSES).manifest.longest_courses
    assert {name: round(days, 6) for name, days in found.items()} == {"completed": Decimal(90), "stopped": Decimal(364)}


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("reference: review", "reference: revue", "RULE-010 no reference 'revue'; did you mean 'review'?"),
        ("completed: 90 d", "completd: 90 d", "RULE-002 'longest_courses' has no key 'completd'; did you mean 'completed'?"),
        ("completed: 90 d", "completed: 90 mg", "RULE-016 'completed' is a time, such as 28 d"),
        ("completed: 90 d", "completed: long", "RULE-023 'long' is no quantity; write a number, a space and a unit: 4.5 mg/d, 7 d"),
        ("  reference: review\n", "", "RULE-003 'longest_courses' needs 'reference'"),
    ],
)
def test_a_course_that_cannot_be_read_is_refused(was: str, becomes: str, told: str) -> None:
    with pytest.raises(RulebookInvalid) as caught:
        _with_courses(COURSES.replace(was, becomes))
    assert [f"{problem.code} {problem.message}" for problem in caught.value.problems] == [told]


@pytest.mark.parametrize(
    ("daily", "expected"),
    [
        ("1.5 mg/d", "low-dose"), ("4.5 mg/d", "low-dose"), ("4500 ug/d", "low-dose"), ("4.501 mg/d", "intermediate"), ("3 to 6 mg/d", "intermediate"),
        ("49.9 mg/d", "intermediate"), ("50 mg/d", "standard"), ("45 to 50 mg/d", "standard"), ("0 mg/d", "unknown"), ("5 mL/d", "unknown"),
    ],
)  # fmt: skip
def test_a_daily_dose_is_classed_by_its_high_end(daily: str, expected: str) -> None:
    assert CLASSES.classify(span(daily), frozenset(["blocker"])) == expected


def test_dose_classes_know_unknown_doses_depots_and_other_drugs() -> None:
    low, unknown = exactly(1, "mg/d"), Unknown("no-dose")
    assert CLASSES.classify(unknown, frozenset(["blocker"])) == "unknown"
    assert CLASSES.classify(low, Unknown("no-code")) == "unknown"
    assert CLASSES.classify(unknown, frozenset(["blocker", "depot"])) == "standard"
    assert CLASSES.classify(low, frozenset(["blocker", "combination", "depot"])) == "not-applicable"
    assert CLASSES.classify(low, frozenset(["agonist"])) == "not-applicable"
    assert DoseClasses("blocker", frozenset(), "standard", ()).classify(low, frozenset(["blocker"])) == "unknown"


def test_the_hash_changes_with_every_file_and_not_with_their_order() -> None:
    files = base()
    assert pack().hash == hash_of(files) == hash_of(dict(reversed(files.items())))
    assert (
        len(
            {
                hash_of(files),
                hash_of({**files, "drugs/a.csv": ""}),
                hash_of({**files, "drugs/a.csv": "x"}),
                hash_of({**files, "drugs/b.csv": "x"}),
            }
        )
        == 4
    )
    assert hash_of({"a": "bc"}) != hash_of({"ab": "c"})
    assert len(hash_of({})) == 64


def test_tables_of_other_floors_are_no_rules() -> None:
    others = {"drugs/sources.yaml": "{", "valuesets/pain.json": "{", "valuesets/x.yaml": "{", "rule.schema.json": "{", "README.md": "-"}
    assert names(pack(others).rules) == ["conflict"]


@pytest.mark.parametrize(
    ("checked", "today", "expected"),
    [
        (date(2025, 11, 22), date(2026, 11, 22), False),
        (date(2025, 11, 21), date(2026, 11, 22), True),
        (date(2024, 2, 29), date(2025, 2, 28), False),
        (date(2024, 2, 29), date(2025, 3, 1), True),
        (date(2026, 2, 28), date(2027, 2, 28), False),
    ],
)
def test_a_reference_is_due_after_twelve_months(checked: date, today: date, expected: bool) -> None:  # noqa: FBT001
    assert is_stale(Reference("a", "A", checked), today) is expected


def test_due_references_are_warnings_of_evaluated_rules_alone() -> None:
    later = date(2028, 1, 1)
    assert [problem.code for problem in pack().warnings(later)] == ["RULE-064"]
    draft = {"pack/conflict.yaml": base()["pack/conflict.yaml"].replace("status: active", "status: draft")}
    assert pack(draft).warnings(later) == ()
    assert pack(draft).problems() == ()


def test_the_site_of_a_broken_fixture_is_checked_although_it_is_not_named() -> None:
    with pytest.raises(RulebookInvalid):
        pack({"sites/north.yaml": (BROKEN / "RULE-041" / "sites" / "north.yaml").read_text()})


@pytest.mark.parametrize(
    ("before", "after", "codes"),
    [
        ("label: {title: The label, checked: 2026-11-22}", "label: The label", ["RULE-001"]),
        ("limit: {unit: mg/d", "other: 5\n  limit: {unit: mg/d", ["RULE-001"]),
        ("[{from: 2020-01-01, value: 4.5}, ", "[4.5, ", ["RULE-001"]),
        ("when: {order.is_first: {is: true}}", "when: {exposures: [some]}", ["RULE-001"]),
        ("when: {order.is_first: {is: true}}", "when: {order.is_first: true}", ["RULE-001"]),
        ("when: {order.is_first: {is: true}}", "when: {any: [order.is_first]}", ["RULE-001"]),
        ("when: {order.is_first: {is: true}}", "when: {any: {order.is_first: {is: true}}}", ["RULE-001", "RULE-019"]),
        ("when: {order.is_first: {is: true}}", "when: {all: [{severity: info, order.is_first: {is: true}}]}", ["RULE-014"]),
        ("when: {order.is_first: {is: true}}", "when: {order.daily_dose: {above: [1 mg/d]}}", ["RULE-001"]),
        ("when: {order.is_first: {is: true}}", "when: {order.drug: {in: true}}", ["RULE-018"]),
        ("when: {order.is_first: {is: true}}", "when: {order.is_first: {is: 1}}", ["RULE-022"]),
        ("when: {order.is_first: {is: true}}", "when: {order.is_first: {is: }}", ["RULE-022"]),
        ("when: {order.is_first: {is: true}}", "when: {order.is_first: {is: [true]}}", ["RULE-022"]),
        ("when: {order.is_first: {is: true}}", "when: {exposures: {some: {drug: {in: agonist}}, none: {drug: {in: depot}}}}", ["RULE-021"]),
        ("checked: 2026-11-22", "checked: [2026-11-22]", ["RULE-001"]),
        ("checked: 2026-11-22", "checked: 20261122", ["RULE-007"]),
        ("value: 4.5", "value: [4.5]", ["RULE-001"]),
        ("value: 4.5", "value: 1e3", ["RULE-008"]),
        ("value: 4.5", "value: .5", ["RULE-008"]),
        ("version: 1", "version: 1.5", ["RULE-008"]),
        ("version: 1", "version: [1]", ["RULE-001"]),
        ("site_may: nothing", "site_may: anything", ["RULE-006"]),
        ("hooks: [order-sign]", "hooks: [order-dispatch]", ["RULE-006"]),
        ("title: A sample", "title: [A]", ["RULE-001"]),
        ("id: sample", "id: 9", ["RULE-004"]),
    ],
)
def test_whatever_has_the_wrong_shape_is_refused_once(before: str, after: str, codes: list[str]) -> None:
    original = text("sample", "{order.is_first: {is: true}}")
    assert before in original
    reader = Reader()
    assert read_rule(original.replace(before, after, 1), "sample.yaml", VOCABULARY, reader) is None
    assert [problem.code for problem in reader.problems] == codes


def test_all_problems_of_one_rule_come_at_once() -> None:
    reader = Reader()
    changed = (
        text("sample", "{order.frist: {is: true}, order.drug: {inn: blocker}}")
        .replace("kind: dose", "kind: doses")
        .replace("unit: mg/d", "unit: mgx")
    )
    read_rule(changed, "sample.yaml", VOCABULARY, reader)
    assert sorted(problem.code for problem in reader.problems) == ["RULE-006", "RULE-013", "RULE-014", "RULE-015"]
