"""Each error code has a broken file under rulebook_broken/, and an expected report."""

import pytest

from cds_service.errors import RulebookInvalid
from cds_service.rulebook.codes import CODES
from cds_service.rulebook.rulebook import load_rulebook
from tests import rulebook_shapes
from tests.rulebook_pack import BROKEN, TODAY, VOCABULARY, base, files_in, pack

FIXTURES = sorted(path.name for path in BROKEN.iterdir() if path.is_dir() and path.name != "base")
PACK_WIDE = {"RULE-042", "RULE-050"}
"""Codes whose fault is an absent file or a wrong setting: tested below."""


def report(files: dict[str, str]) -> str:
    try:
        rulebook = pack(files)
    except RulebookInvalid as error:
        return f"{error}\n"
    return "".join(f"{problem}\n" for problem in (*rulebook.problems(), *rulebook.warnings(TODAY)))


@pytest.mark.parametrize("file", base())
def test_what_is_said_of_another_shape_at_each_place_of_a_pack_is_as_kept(file: str) -> None:
    kept = rulebook_shapes.KEPT.read_text(encoding="utf-8")
    assert "".join(line for line in kept.splitlines(keepends=True) if line.startswith(file)) == rulebook_shapes.said(file)


@pytest.mark.parametrize("name", FIXTURES)
def test_a_broken_file_gives_the_report_that_stands_beside_it(name: str) -> None:
    expected = (BROKEN / name / "expected.txt").read_text()
    assert report(files_in(BROKEN / name)) == expected
    assert name[:8] in expected


def test_every_error_code_has_a_broken_file() -> None:
    assert {name[:8] for name in FIXTURES} | PACK_WIDE == set(CODES)


def test_the_base_of_the_broken_files_is_sound() -> None:
    assert report({}) == ""


def test_a_pack_without_manifest_is_refused() -> None:
    files = base()
    del files["manifest.yaml"]
    with pytest.raises(RulebookInvalid) as caught:
        load_rulebook(files, VOCABULARY, root="elsewhere")
    assert str(caught.value) == "elsewhere/manifest.yaml:1:1 RULE-050 the pack has no manifest"


def test_a_site_without_file_is_refused_with_the_sites_there_are() -> None:
    with pytest.raises(RulebookInvalid) as caught:
        pack(site="south")
    assert str(caught.value) == "rules/sites/south.yaml:1:1 RULE-042 no site 'south'; there is: north"


def test_all_problems_of_all_files_come_at_once() -> None:
    broken = {
        path: (BROKEN / name / path).read_text() for name, path in (("RULE-017", "pack/conflict.yaml"), ("RULE-052", "manifest.yaml"))
    }
    with pytest.raises(RulebookInvalid) as caught:
        pack(broken)
    assert [problem.code for problem in caught.value.problems] == ["RULE-052", "RULE-017"]


def test_a_case_or_site_file_beside_a_broken_rule_is_not_blamed_for_it() -> None:
    with pytest.raises(RulebookInvalid) as caught:
        pack({"pack/conflict.yaml": "id: conflict\n"})
    assert {problem.where.file for problem in caught.value.problems} == {"rules/pack/conflict.yaml"}


def test_a_file_that_is_no_mapping_or_no_yaml_is_refused() -> None:
    with pytest.raises(RulebookInvalid) as caught:
        pack({"pack/conflict.yaml": "- a\n", "manifest.yaml": "id: a\nid: b\n", "sites/north.yaml": "x", "pack/conflict.test.yaml": "{"})
    assert [problem.code for problem in caught.value.problems] == ["YAML-002", "YAML-001", "RULE-001", "RULE-001"]
