"""Rules of a running service: sentinels notice when an answer changes, changed files are taken over all or nothing."""

import csv
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from cds_service.advisor import PackAdvisor
from cds_service.app import Watch, create_app
from cds_service.errors import RulebookInvalid
from cds_service.live.advisor import LiveAdvisor
from cds_service.live.sentinels import Sentinel, disagreements, read_sentinels
from cds_service.live.stamps import stamps_of
from cds_service.live.upkeep import Loaded, Rhythm, Upkeep
from cds_service.metrics import Metrics
from cds_service.observe import LOG, write_log_to
from cds_service.pack import read_pack
from cds_service.rulebook.types import Status
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings
from tests.conftest import NOON, ROOT, ZONE
from tests.test_metrics import samples

SENTINELS = read_sentinels(ROOT / "rules")
VERIFIED = frozenset(["high", "medium"])


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = (LOG.handlers[:], LOG.propagate, LOG.level)
    stream = io.StringIO()
    write_log_to(stream)
    yield stream
    LOG.handlers[:], LOG.propagate = before[:2]
    LOG.setLevel(before[2])


def advisor_of(pack: Pack) -> PackAdvisor:
    return PackAdvisor(pack, ZONE, Wishes(), lambda: NOON)


def without(pack: Pack, rule: str) -> Pack:
    """A pack in which a rule was retired by mistake."""
    rules = tuple(replace(one, status=Status.RETIRED) if one.id == rule else one for one in pack.rulebook.rules)
    return replace(pack, rulebook=replace(pack.rulebook, rules=rules, hash="broken"))


@dataclass
class Site:
    """Folders with files, what reading them gives, and the service around it."""

    folder: Path
    pack: Pack
    reads: Callable[[], Pack] | None = None
    metrics: Metrics = field(default_factory=Metrics)
    rhythm: Rhythm = field(default_factory=Rhythm)

    def __post_init__(self) -> None:
        """Start the service on the files as they are."""
        (self.folder / "rule").write_text("1")
        self.advisor = LiveAdvisor(advisor_of(self.pack))
        self.upkeep = Upkeep(self.advisor, self.loaded(), self.loaded, [self.folder], self.rhythm, self.metrics)
        self.client = create_app(Settings(), self.advisor, watch=Watch(self.metrics, self.upkeep.readiness)).test_client()

    def loaded(self) -> Loaded:
        """Read the files."""
        stamps = stamps_of([self.folder])
        return Loaded(self.reads() if self.reads else self.pack, {}, SENTINELS, stamps)

    def ready(self) -> tuple[int, dict[str, object]]:
        """Ask for readiness."""
        answer = self.client.get("/ready")
        return answer.status_code, answer.get_json()

    def figure(self, name: str, *labels: str) -> float:
        """One figure of the metrics."""
        return samples(self.metrics.text().decode()).get((name, labels), 0)

    def edit(self, reads: Callable[[], Pack], looks: int = 2) -> None:
        """Change the files, and look so many times."""
        self.reads = reads
        (self.folder / "rule").write_text(str(time.monotonic()))
        for _ in range(looks):
            self.upkeep.look()


@pytest.fixture
def site(tmp_path: Path, pack: Pack) -> Site:
    return Site(tmp_path, pack)


# --- which sentinels there are --------------------------------------------------------------------------------------------


def test_every_evaluated_rule_has_a_sentinel_that_it_speaks_for(pack: Pack) -> None:
    watched = {one.rule for one in SENTINELS if one.expect != "quiet"}
    assert [rule.id for rule in pack.rulebook.evaluated if rule.id not in watched] == []


def test_every_opioid_ingredient_with_a_verified_code_has_a_sentinel() -> None:
    watched = {one["code"] for one in rows("sentinels/drugs.csv")}
    lacking = [
        row["ingredient"]
        for row in rows("drugs/ingredients.csv")
        if row["confidence"] in VERIFIED and (codes := [*row["rxnorm"].split(), *row["atc"].split()]) and watched.isdisjoint(codes)
    ]
    assert lacking == []


def test_every_naltrexone_ingredient_and_product_has_a_sentinel() -> None:
    watched = {one["code"] for one in rows("sentinels/drugs.csv") if one["call"] == "drafted-drug"}
    named = [
        row["code"] for row in rows("drugs/products.csv") if row["classes"].split()[:1] == ["naltrexone"] and "rxnorm" in row["system"]
    ]
    assert (len(named) >= 6, [code for code in named if code not in watched]) == (True, [])


def rows(file: str) -> list[dict[str, str]]:
    with (ROOT / "rules" / file).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def test_all_sentinels_agree_with_the_shipped_rules(pack: Pack) -> None:
    assert disagreements(SENTINELS, advisor_of(pack)) == ()


@pytest.mark.parametrize("days", [1, 100, 1000])
def test_sentinels_agree_on_other_days_too(pack: Pack, days: int) -> None:
    later = replace(advisor_of(pack), clock=lambda: NOON.replace(year=NOON.year + days // 365, day=1 + days % 28))
    assert disagreements(SENTINELS, later) == ()


# --- what they notice -----------------------------------------------------------------------------------------------------


def edited(folder: Path, file: str, found: str, instead: str) -> Path:
    """A copy of the rules in which one text was changed."""
    rules = folder / "rules"
    shutil.copytree(ROOT / "rules", rules)
    text = (rules / file).read_text(encoding="utf-8")
    assert found in text
    (rules / file).write_text(text.replace(found, instead), encoding="utf-8")
    return rules


def test_a_sentinel_notices_a_drug_code_that_is_gone(tmp_path: Path) -> None:
    rules = edited(tmp_path, "drugs/ingredients.csv", "tramadol,10689 82110,", "tramadol,82110,")
    told = disagreements(SENTINELS, advisor_of(read_pack(rules, ROOT / "cards")))
    assert told == ("tramadol by code 10689: opioid-conflict gives quiet, not critical",)


def test_a_sentinel_notices_a_value_set_without_its_code(tmp_path: Path) -> None:
    text = (ROOT / "rules/valuesets/fibromyalgia.json").read_text(encoding="utf-8")
    rules = edited(tmp_path, "valuesets/fibromyalgia.json", '"M79.7"', '"M79.70"')
    assert '"M79.7"' in text
    told = disagreements(SENTINELS, advisor_of(read_pack(rules, ROOT / "cards")))
    assert "50 mg for fibromyalgia: dose-mismatch gives quiet, not warning" in told


def test_a_silent_change_of_a_rule_fails_readiness_until_it_is_put_back(site: Site, pack: Pack, log: io.StringIO) -> None:
    site.upkeep.check()
    assert (site.ready()[0], site.figure("cds_processes", "ready")) == (200, 1)

    site.advisor.take(advisor_of(without(pack, "dose-mismatch")))
    site.upkeep.check()
    status, told = site.ready()
    assert (status, told["status"]) == (503, "not ready")
    assert told["reasons"] == [
        "50 mg for fibromyalgia: dose-mismatch gives quiet, not warning",
        "4.5 mg for alcohol dependence: dose-mismatch gives quiet, not warning",
    ]
    assert (site.figure("cds_sentinels_disagreeing"), site.figure("cds_processes", "not-ready")) == (2, 1)
    assert site.figure("cds_sentinel_runs_total", "disagree") == 1
    assert "dose-mismatch gives quiet, not warning" in log.getvalue()

    site.advisor.take(advisor_of(pack))
    site.upkeep.check()
    assert (site.ready()[0], site.figure("cds_sentinels_disagreeing"), site.figure("cds_processes", "not-ready")) == (200, 0, 0)
    assert "all answers are as expected again" in log.getvalue()


def test_a_change_of_answers_is_logged_once_not_at_every_run(site: Site, pack: Pack, log: io.StringIO) -> None:
    site.advisor.take(advisor_of(without(pack, "liver-disease")))
    for _ in range(3):
        site.upkeep.check()
    assert log.getvalue().count("cirrhosis: liver-disease") == 1


def test_a_rule_that_a_site_made_its_own_is_not_asked(pack: Pack) -> None:
    rules = tuple(
        replace(rule, status=Status.RETIRED, site_override="status") if rule.id == "children" else rule for rule in pack.rulebook.rules
    )
    assert disagreements(SENTINELS, advisor_of(replace(pack, rulebook=replace(pack.rulebook, rules=rules)))) == ()


def test_a_sentinel_of_a_rule_that_is_gone_disagrees(pack: Pack) -> None:
    [one] = [one for one in SENTINELS if one.name == "cirrhosis"]
    assert disagreements((replace(one, rule="no-such"),), advisor_of(pack)) == ("cirrhosis: no-such gives no such rule, not info",)


def test_a_sentinel_whose_call_is_refused_disagrees(pack: Pack) -> None:
    broken = Sentinel("broken", "children", "info", "order-sign", '{"hook": "order-sign"}')
    assert disagreements((broken,), advisor_of(pack)) == ("broken: children gives REQ-006, not info",)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("rules.json", "{"),
        ("rules.json", '[{"name": "x"}]'),
        ("rules.json", '[{"name": "x", "rule": "children", "expect": "loud", "call": {"hook": "order-sign"}}]'),
        ("rules.json", '[{"name": "x", "rule": "children", "expect": "info", "call": {"hook": "order-dispatch"}}]'),
        ("drugs.csv", "drug,system,code,call,rule,expect\na,b,c,no-such,opioid-conflict,info\n"),
    ],
)
def test_broken_sentinels_are_refused(tmp_path: Path, file: str, content: str) -> None:
    (tmp_path / "sentinels").mkdir()
    (tmp_path / "sentinels" / file).write_text(content)
    with pytest.raises(RulebookInvalid) as refused:
        read_sentinels(tmp_path)
    assert [problem.code for problem in refused.value.problems] == ["RULE-070"]


def test_rules_without_sentinels_have_none(tmp_path: Path) -> None:
    assert read_sentinels(tmp_path) == ()


# --- readiness ------------------------------------------------------------------------------------------------------------


def test_a_process_is_not_ready_before_its_sentinels_have_run(site: Site) -> None:
    assert site.ready() == (
        503,
        {"status": "not ready", "reasons": ["the sentinels have not run yet"], "packs": [in_force(site.pack)]},
    )


def in_force(pack: Pack) -> dict[str, str]:
    return {"site": "", "version": pack.rulebook.manifest.version, "hash": pack.rulebook.hash}


def test_a_process_whose_sentinels_stopped_running_is_not_ready(tmp_path: Path, pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, pack, rhythm=Rhythm(sentinels=10))
    site.upkeep.check()
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 91)
    assert site.ready()[1]["reasons"] == ["the sentinels no longer run"]


# --- reload ---------------------------------------------------------------------------------------------------------------


def test_changed_files_are_taken_over_when_they_are_still(site: Site, pack: Pack) -> None:
    newer = replace(pack, rulebook=replace(pack.rulebook, hash="newer"))
    site.upkeep.check()
    site.edit(lambda: newer, looks=1)
    assert site.advisor.pack is pack
    site.upkeep.look()
    assert site.advisor.pack is newer
    assert (site.ready()[1]["packs"], site.figure("cds_reloads_total", "taken")) == ([in_force(newer)], 1)
    version = pack.rulebook.manifest.version
    assert (site.figure("cds_pack_info", "", version, "newer"), site.figure("cds_pack_info", "", version, pack.rulebook.hash)) == (1, 0)


def test_files_that_still_change_are_not_read(site: Site, pack: Pack) -> None:
    newer = replace(pack, rulebook=replace(pack.rulebook, hash="newer"))
    for _ in range(5):
        site.edit(lambda: newer, looks=1)
    assert site.advisor.pack is pack


def test_files_that_change_while_they_are_read_are_left_for_later(site: Site, pack: Pack) -> None:
    newer = replace(pack, rulebook=replace(pack.rulebook, hash="newer"))

    def read_slowly() -> Pack:
        (site.folder / "another").write_text(str(time.monotonic()))
        return newer

    site.edit(read_slowly)
    assert (site.advisor.pack is pack, site.figure("cds_reloads_total", "refused")) == (True, 0)
    site.reads = lambda: newer
    site.upkeep.look()
    site.upkeep.look()
    assert site.advisor.pack is newer


def test_a_pack_whose_sentinels_disagree_is_refused_once_and_told(site: Site, pack: Pack, log: io.StringIO) -> None:
    site.upkeep.check()
    site.edit(lambda: without(pack, "pregnancy-lactation"), looks=6)
    status, told = site.ready()
    assert site.advisor.pack is pack
    assert (status, told["newerPackRefused"]) == (200, ["pregnancy: pregnancy-lactation gives quiet, not info"])
    assert (site.figure("cds_reloads_total", "refused"), site.figure("cds_newer_pack_refused")) == (1, 1)
    assert log.getvalue().count("changed files were refused") == 1

    site.edit(lambda: pack)
    assert ("newerPackRefused" in site.ready()[1], site.figure("cds_newer_pack_refused")) == (False, 0)


@pytest.mark.parametrize(
    "error", [OSError("Jane"), KeyError("Jane"), UnicodeDecodeError("utf-8", b"", 0, 1, "Jane"), RecursionError("Jane")]
)
def test_files_that_cannot_be_read_are_refused_without_their_words(site: Site, error: Exception, log: io.StringIO) -> None:
    def fail() -> Pack:
        raise error

    site.upkeep.check()
    site.edit(fail)
    assert site.ready()[1]["newerPackRefused"] == [f"files that cannot be used ({type(error).__name__})"]
    assert "Jane" not in log.getvalue()


def test_files_put_back_as_they_were_end_the_refusal(site: Site, pack: Pack) -> None:
    before = (site.folder / "rule").stat()
    site.upkeep.check()
    site.edit(lambda: without(pack, "children"))
    assert "newerPackRefused" in site.ready()[1]
    (site.folder / "rule").write_text("1")
    os.utime(site.folder / "rule", ns=(before.st_atime_ns, before.st_mtime_ns))
    site.reads = lambda: pack
    site.upkeep.look()
    assert "newerPackRefused" not in site.ready()[1]


def test_discovery_and_addresses_follow_the_pack(site: Site, pack: Pack) -> None:
    first, *rest = pack.rulebook.manifest.services
    manifest = replace(pack.rulebook.manifest, services=(replace(first, id="renamed"), *rest))
    newer = replace(pack, rulebook=replace(pack.rulebook, manifest=manifest))
    body = json.dumps({"hook": first.hook, "context": {}})
    assert site.client.post("/cds-services/renamed", data=body, content_type="application/json").status_code == 404
    site.edit(lambda: newer)
    assert "renamed" in [service["id"] for service in site.client.get("/cds-services").get_json()["services"]]
    assert "/cds-services/renamed" in site.client.get("/openapi.json").get_json()["paths"]
    assert site.client.post("/cds-services/renamed", data=body, content_type="application/json").status_code == 200
    assert site.client.post(f"/cds-services/{first.id}", data=body, content_type="application/json").status_code == 404


def test_a_process_that_starts_after_a_change_takes_it_over_before_it_answers(site: Site, pack: Pack) -> None:
    newer = replace(pack, rulebook=replace(pack.rulebook, hash="newer"))
    site.edit(lambda: newer, looks=0)
    site.upkeep.start()
    assert site.advisor.pack is newer
