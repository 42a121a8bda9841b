"""Floor 8: `cds-service terminology`, the commands that make the terminology files."""

from pathlib import Path

import click

from cds_service.located import Block, Scalar, read_yaml
from cds_service.terminology import read_condition_index, read_drug_index
from cds_service.terminology.build import build_drugs
from cds_service.terminology.build_valuesets import build_valuesets

_FOLDERS = ("drugs", "valuesets")


@click.group()
def terminology() -> None:
    """Make the drug tables and value sets that the rules rest on."""


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
