"""Invariants of the design that no type checker sees."""

import ast
import csv
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "cds_service").rglob("*.py"))
PURE = [path for path in MODULES if path.relative_to(ROOT / "cds_service").parts[0] in {"facts", "fhir", "rulebook", "cards", "hooks"}] + [
    ROOT / "cds_service" / name for name in ("errors.py", "unknown.py", "quantities.py", "located.py", "service.py")
]


def _rows(name: str) -> list[dict[str, str]]:
    with (ROOT / "rules" / "drugs" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _drug_words() -> set[str]:
    """Every name of the drug tables that is one word of five letters or more."""
    names = {row["name"] for row in _rows("names.csv")} | {row["ingredient"] for row in _rows("ingredients.csv")}
    return {name.lower() for name in names if re.fullmatch(r"[A-Za-z]{5,}", name)}


def _codes() -> set[str]:
    return {row["code"] for row in _rows("products.csv") if len(row["code"]) >= 5}


def _literals(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
            yield str(node.value)


def test_no_python_module_names_a_drug() -> None:
    words = _drug_words()
    assert len(words) > 100
    found = {
        (path.name, word)
        for path in MODULES
        for word in words & set(re.findall(r"[a-z]{5,}", path.read_text(encoding="utf-8").lower()))
        if path.name != "__init__.py" or path.parent.name != "cds_service"
    }
    assert found == set()


def test_no_python_module_holds_a_code_of_the_tables() -> None:
    codes = _codes()
    found = {(path.name, literal) for path in MODULES for literal in _literals(path) if literal in codes}
    assert found == set()


def test_the_pure_floors_read_no_clock_and_no_file() -> None:
    forbidden = re.compile(r"\b(datetime\.now|date\.today|time\.time|utcnow|open\(|read_text\(|read_bytes\(|requests\.|urlopen)")
    found = {path.name for path in PURE if forbidden.search(path.read_text(encoding="utf-8"))}
    assert found == set()


def test_there_is_one_broad_except_in_the_whole_program() -> None:
    broad = [
        path.name
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler) and (node.type is None or ast.unparse(node.type) in {"Exception", "BaseException"})
    ]
    assert broad in ([], ["errors.py"])


def test_modules_and_functions_keep_to_their_length() -> None:
    long_modules = [path.name for path in MODULES if len(path.read_text(encoding="utf-8").splitlines()) > 400]
    long_functions = [
        f"{path.name}:{node.name}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 60
    ]
    assert (long_modules, long_functions) == ([], [])
