"""Floor 8: `cds-service terminology`, the commands that make, import and check what codes and names mean."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from cds_service.errors import Problem, RulebookInvalid
from cds_service.located import Block, Scalar, read_yaml
from cds_service.settings import default_pack_dir, read_settings
from cds_service.terminology import read_condition_index, read_drug_index
from cds_service.terminology.build import build_drugs
from cds_service.terminology.build_valuesets import build_valuesets
from cds_service.terminology.rxnorm_changes import Changes
from cds_service.terminology.rxnorm_import import Imported, import_release
from cds_service.terminology.rxnorm_rows import find_release
from cds_service.terminology.site_codes import RXNORM
from cds_service.terminology.site_files import SiteFiles
from cds_service.terminology.site_files import read_terminology as read_with_site

_FOLDERS: Final = ("drugs", "valuesets")
_FOLDER: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_TOLD: Final = 20
"""Changed products that are named; the rest is counted."""
FOUND: Final = 1
"""Exit code: something is wrong in the files; 2 means that the command could not do its work."""


@click.group()
def terminology() -> None:
    """Make, import and check the drug tables and value sets that the rules rest on."""


@terminology.command()
@click.argument("source_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("rules_folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--canonical", help="Base URI of the value sets.  [canonical of manifest.yaml]")
@click.option("--check", is_flag=True, help="Write nothing; fail where a file would change.")
def build(source_folder: Path, rules_folder: Path, canonical: str | None, *, check: bool) -> None:
    """Make RULES_FOLDER/drugs and RULES_FOLDER/valuesets from the fact tables in SOURCE_FOLDER.

    The hand-written tables beside them (classes, roles, words, own names, names of conditions) are read, never written.
    """
    sources = {path.name: _text(path) for path in sorted(source_folder.glob("*.csv"))}
    rules = read_terminology(rules_folder)
    made = {**build_drugs(sources, rules), **build_valuesets(sources, rules, canonical or _canonical(rules_folder))}
    complete = {path: text for path, text in rules.items() if not _is_stale(path, made)} | made
    read_drug_index(complete)
    read_condition_index(complete)
    changed = [path for path, text in sorted(made.items()) if rules.get(path) != text]
    stale = [path for path in sorted(rules) if _is_stale(path, made)]
    if check and (changed or stale):
        raise click.ClickException(f"not up to date: {', '.join([*changed, *stale])}")
    for path in changed:
        (rules_folder / path).write_bytes(made[path].encode())
    for path in stale:
        (rules_folder / path).unlink()
    click.echo(f"{len(made)} files, {len(changed)} changed, {len(stale)} removed")


@terminology.command(name="import")
@click.argument("release_folder", metavar="RXNORM_RRF_FOLDER", type=_FOLDER)
@click.option("--into", type=click.Path(dir_okay=False, path_type=Path), help="Index file to write.  [CDS_TERMINOLOGY_FILE]")
@click.option("--rules", type=_FOLDER, default=None, help="Folder of the rules, whose ingredients are told about.")
def import_(release_folder: Path, into: Path | None, rules: Path | None) -> None:
    """Read an RxNorm release into the index that CDS_TERMINOLOGY_FILE names.

    A running service keeps the old index until it is started again. An import that broke off goes on with the file at which it stopped.
    """
    target = into or read_settings().terminology_file
    if target is None:
        raise click.UsageError("name the index file with --into, or with CDS_TERMINOLOGY_FILE")
    concerned = _concerned(rules or default_pack_dir("rules"))
    with click.progressbar(length=find_release(release_folder).size, label="Reading", show_pos=False) as bar:
        imported = import_release(release_folder, target, concerned, bar.update)
    for line in _told(imported, target):
        click.echo(line)


@terminology.command()
@click.option("--rules", type=_FOLDER, default=None, help="Folder of the rules.  [the shipped ones]")
@click.option("--index", type=click.Path(path_type=Path), default=None, help="Index of an import.  [CDS_TERMINOLOGY_FILE]")
@click.argument("site_folder", required=False, type=_FOLDER)
def check(site_folder: Path | None, rules: Path | None, index: Path | None) -> None:
    """Check the drug tables, the value sets, and what SITE_FOLDER [CDS_SITE_TERMINOLOGY_DIR] and the index add to them.

    Exit code 0: nothing wrong; 1: problems, one line for each.
    """
    settings = read_settings()
    site = SiteFiles(index or settings.terminology_file, site_folder or settings.site_terminology_dir)
    try:
        found = read_with_site(read_terminology(rules or settings.rules_dir), site)
    except RulebookInvalid as error:
        click.echo(str(error))
        click.echo(f"{len(error.problems)} problems", err=True)
        raise SystemExit(FOUND) from None
    if found.release:
        click.echo(f"RxNorm {found.release}")
    click.echo("0 problems", err=True)


def _concerned(rules_folder: Path) -> frozenset[int]:
    """Name the RxNorm codes of the ingredients that rules concern."""
    tables = read_drug_index(read_terminology(rules_folder)).tables
    system = tables.systems.by_name[RXNORM].uri
    codes = ((code, drug) for (where, code), drug in tables.codes.items() if where == system)
    return frozenset(int(code) for code, drug in codes if drug.classes and drug.key == drug.ingredient)


def _told(imported: Imported, target: Path) -> Iterator[str]:
    """Say what was read, what could not be, and what is new."""
    for file in imported.files:
        yield f"{file.name}: {file.rows} rows" + ("" if file.is_new else ", read by an earlier import")
        yield from _problems(file.problems, file.malformed)
    yield f"RxNorm {imported.release}: {imported.products} concepts, {imported.packages} package codes in {target}"
    yield from _changes(imported.changes)


def _problems(problems: Sequence[Problem], count: int) -> Iterator[str]:
    yield from (f"  {problem}" for problem in problems)
    if count > len(problems):
        yield f"  … and {count - len(problems)} malformed rows more"


def _changes(changes: Changes) -> Iterator[str]:
    if not changes.against:
        yield "No earlier index to compare with."
        return
    yield f"Against {changes.against}, of the ingredients that rules concern:"
    groups = {"added": changes.added, "removed": changes.removed, "changed": changes.changed, "retired": changes.retired}
    for what, products in groups.items():
        yield f"  {len(products)} products {what}"
        yield from (f"    {product}" for product in products[:_TOLD])
        if len(products) > _TOLD:
            yield f"    … and {len(products) - _TOLD} more"
    yield f"  of all drugs, {changes.packages_added} package codes added, {changes.packages_removed} removed"


def read_terminology(rules_folder: Path) -> dict[str, str]:
    """Read all terminology files of a rules folder, by their path in it."""
    paths = (path for folder in _FOLDERS for path in sorted((rules_folder / folder).glob("*")) if path.suffix in {".csv", ".json"})
    return {path.relative_to(rules_folder).as_posix(): _text(path) for path in paths}


def _is_stale(path: str, made: dict[str, str]) -> bool:
    """Tell whether a value set is left over from an earlier build."""
    return path.endswith(".json") and path not in made


def _text(path: Path) -> str:
    """Read UTF-8 with the line ends as they are."""
    return path.read_bytes().decode()


def _canonical(rules_folder: Path) -> str:
    """Read the base URI from the manifest of the rules."""
    path = rules_folder / "manifest.yaml"
    tree = read_yaml(_text(path), path.name) if path.exists() else None
    value = tree.get("canonical") if isinstance(tree, Block) else None
    if not isinstance(value, Scalar):
        raise click.UsageError("the manifest of the rules names no canonical base URI; give one with --canonical")
    return value.text
