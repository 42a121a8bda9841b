"""Floor 8: the commands about rules: `check`, `test` and `schema`; they read the files that floor 4 is handed as texts."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal

import click

from cds_service.advisor import PackAdvisor
from cds_service.app import site_files_of
from cds_service.errors import Location, Problem, RulebookInvalid
from cds_service.live.sentinels import FOLDER, disagreements, read_sentinels
from cds_service.pack import card_ids, files_in, read_pack
from cds_service.rulebook.rulebook import Rulebook, load_rulebook
from cds_service.rulebook.running import CaseResult
from cds_service.rulebook.schema import schema_text, with_tables
from cds_service.rulebook.vocabulary import Vocabulary
from cds_service.service import Wishes
from cds_service.settings import default_pack_dir, read_settings

FOUND: Final = 1
"""Exit code: something is wrong in the files or a case fails; 2 means that the command could not do its work."""
_DEFAULT: Final = "the folder of this name here, else the shipped one"
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)


def vocabulary_of(rules: Mapping[str, str], cards: Mapping[str, str]) -> Vocabulary:
    """Gather drug classes, value sets and cards from the files that define them, also where those files have faults."""
    rows = csv.DictReader(rules.get("drugs/classes.csv", "").splitlines())
    sets = (name.removeprefix("valuesets/") for name in rules if name.startswith("valuesets/"))
    return Vocabulary(
        drug_classes=frozenset(row["class"] for row in rows if row.get("class")),
        valuesets=frozenset(name.removesuffix(".json") for name in sets if name.endswith(".json")),
        cards=card_ids({name: text for name, text in cards.items() if name.endswith(".yaml")}),
    )


def _texts(folder: Path) -> dict[str, str]:
    try:
        return files_in(folder)
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"a file in {folder} cannot be read as UTF-8 text") from error


def _load(rules: Path, cards: Path, site: str) -> Rulebook:
    texts = _texts(rules)
    return load_rulebook(texts, vocabulary_of(texts, _texts(cards)), site, root=rules.as_posix())


def _here_or_shipped(name: Literal["rules", "cards"]) -> Path:
    """Take the folder beside whoever asks, so that messages name its files as editors do, else the one that is in force."""
    return Path(name) if Path(name).is_dir() else default_pack_dir(name)


def _folders(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that name the files to a command."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Write JSON instead of one line for each problem."),
        click.option("--site", default="", help="Name of a file in rules/sites whose changes are in force."),
        click.option(
            "--cards", type=_FOLDER, default=lambda: _here_or_shipped("cards"), show_default=_DEFAULT, help="Folder of the card files."
        ),
        click.option(
            "--rules", type=_FOLDER, default=lambda: _here_or_shipped("rules"), show_default=_DEFAULT, help="Folder of the rules."
        ),
    ):
        command = option(command)
    return command


@click.command()
@_folders
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Day as of which references are due; today by default.")
def check(rules: Path, cards: Path, site: str, today: datetime | None, *, as_json: bool) -> None:
    """Check rules, cases, sites, manifest, cards and terminology, and whether each active rule may be active; one line for each problem.

    The site's own terminology is checked with them where CDS_SITE_TERMINOLOGY_DIR or CDS_TERMINOLOGY_FILE names it, as at the start.

    Exit code 0: nothing wrong (warnings are no reason to refuse); 1: problems; 2: the command could not do its work.
    """
    day = today.date() if today else datetime.now(UTC).date()
    problems, warnings = _checked(rules, cards, site, day)
    if as_json:
        _write({"problems": [_plain(problem) for problem in problems], "warnings": [_plain(warning) for warning in warnings]})
    else:
        for line in (*map(str, problems), *(f"{warning} (warning)" for warning in warnings)):
            click.echo(line)
        click.echo(f"{len(problems)} problems, {len(warnings)} warnings", err=True)
    _leave(problems)


@click.command()
@_folders
@click.argument("names", nargs=-1, metavar="[RULE]...")
def test(rules: Path, cards: Path, site: str, names: tuple[str, ...], *, as_json: bool) -> None:
    """Run the case files of all rules, or of those named; one line for each case that fails.

    Exit code 0: every case holds; 1: some do not; 2: the rules cannot be loaded, or a rule named is not there.
    """
    try:
        rulebook = _load(rules, cards, site)
    except RulebookInvalid as error:
        click.echo(str(error), err=True)
        raise SystemExit(2) from error
    _refuse_unknown(names, rulebook)
    results = [result for result in rulebook.run_cases() if not names or result.case.rule in names]
    problems = [problem for result in results for problem in result.problems]
    if as_json:
        _write([_result(result) for result in results])
    else:
        for problem in problems:
            click.echo(str(problem))
        click.echo(f"{len(results)} cases, {len({problem.where for problem in problems})} failed", err=True)
    _leave(problems)


@click.group()
def schema() -> None:
    """Files that are generated from the registry of facts."""


@schema.command()
@click.option("--rules", type=_FOLDER, default=Path("rules"), show_default=True, help="Folder that gets rule.schema.json.")
@click.option("--docs", type=_FOLDER, default=Path("docs"), show_default=True, help="Folder whose rule-format.md gets fresh tables.")
def write(rules: Path, docs: Path) -> None:
    """Write rules/rule.schema.json and the tables of docs/rule-format.md."""
    (rules / "rule.schema.json").write_text(schema_text(), encoding="utf-8")
    reference = docs / "rule-format.md"
    if reference.is_file():
        reference.write_text(with_tables(reference.read_text(encoding="utf-8")), encoding="utf-8")


def _checked(rules: Path, cards: Path, site: str, day: date) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Check the rules first; cards and terminology, which rest on them, once they can be loaded."""
    try:
        rulebook = _load(rules, cards, site)
    except RulebookInvalid as error:
        return error.problems, ()
    return (*rulebook.problems(), *_problems_beside(rules, cards, site)), rulebook.warnings(day)


def _problems_beside(rules: Path, cards: Path, site: str) -> tuple[Problem, ...]:
    settings = read_settings()
    try:
        advisor = PackAdvisor(read_pack(rules, cards, site, site_files_of(settings)), settings.zone, Wishes())
        told = disagreements(read_sentinels(rules), advisor)
    except RulebookInvalid as error:
        return error.problems
    return tuple(Problem(Location(f"rules/{FOLDER}", 1, 1), "RULE-071", one) for one in told)


def _refuse_unknown(names: Iterable[str], rulebook: Rulebook) -> None:
    unknown = sorted(set(names) - set(rulebook.as_shipped))
    if unknown:
        raise click.BadParameter(f"no rule {', '.join(unknown)}; there are: {', '.join(sorted(rulebook.as_shipped))}")


def _plain(problem: Problem) -> dict[str, Any]:
    where = problem.where
    return {"file": where.file, "line": where.line, "column": where.column, "code": problem.code, "message": problem.message}


def _result(result: CaseResult) -> dict[str, Any]:
    case = result.case
    problems = [_plain(problem) for problem in result.problems]
    return {"rule": case.rule, "name": case.name, "state": result.outcome.state, "passed": not problems, "problems": problems}


def _write(content: object) -> None:
    click.echo(json.dumps(content, indent=2, ensure_ascii=False))


def _leave(problems: Iterable[Problem]) -> None:
    if any(problems):
        raise SystemExit(FOUND)
