"""Floor 1: YAML 1.2 read into values that remember where they stand; duplicate keys, anchors and tags are refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from types import MappingProxyType
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from cds_service.errors import Location, Problem, RulebookInvalid

_DEEPEST = 40
_TREES = 256
"""How many files are remembered: sites share theirs, and a reload reads again only what changed."""
_STR, _INT, _FLOAT, _BOOL, _NULL = (f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null"))


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: its text as written, and whether YAML 1.2 reads it as text, a number, a truth or nothing."""

    text: str
    type: str
    where: Location

    @property
    def is_text(self) -> bool:
        """Text, quoted or plain."""
        return self.type == "text"


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of a mapping; `where` is the place of its key."""

    key: str
    value: "Located"
    where: Location


@dataclass(frozen=True, slots=True)
class Block:
    """A mapping, in the order written."""

    entries: Mapping[str, Entry]
    where: Location

    def __iter__(self) -> Iterator[Entry]:
        """Go through the members in the order written."""
        return iter(self.entries.values())

    def get(self, key: str) -> "Located | None":
        """Return the value of a member, `None` where there is none."""
        entry = self.entries.get(key)
        return entry.value if entry else None


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple["Located", ...]
    where: Location


Located = Scalar | Block | Sequence


@lru_cache(maxsize=_TREES)
def read_yaml(text: str, file: str) -> Located:
    """Read one YAML 1.2 document; raises RulebookInvalid with code YAML-001 (syntax), YAML-002 (duplicate key) or YAML-003.

    What comes back cannot be changed, and is the same object for the same text.
    """
    try:
        _refuse_cleverness(text, file)
        node = YAML(typ="safe", pure=True).compose(StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Location(file, mark.line + 1, mark.column + 1) if mark else Location(file, 1, 1)
        raise RulebookInvalid([Problem(where, "YAML-001", f"not readable as YAML: {error.problem}")]) from error
    except YAMLError as error:
        raise RulebookInvalid([Problem(Location(file, 1, 1), "YAML-001", "not readable as YAML: a character that YAML forbids")]) from error
    if node is None:
        raise RulebookInvalid([Problem(Location(file, 1, 1), "YAML-003", "the file is empty")])
    problems: list[Problem] = []
    tree = _located(node, file, problems)
    if problems:
        raise RulebookInvalid(problems)
    return tree


def as_plain(tree: Located) -> Any:  # noqa: ANN401 - any JSON value
    """Drop the places: dicts, lists, texts, truths; numbers stay text, so that nothing is rounded."""
    if isinstance(tree, Block):
        return {entry.key: as_plain(entry.value) for entry in tree}
    if isinstance(tree, Sequence):
        return [as_plain(item) for item in tree.items]
    return {"true": True, "false": False}[tree.text.lower()] if tree.type == "truth" else None if tree.type == "nothing" else tree.text


def _refuse_cleverness(text: str, file: str) -> None:
    """Stop at aliases, anchors, tags and depth before a tree is built: rule files need none, and bombs are made of them."""
    depth = 0
    for event in YAML(typ="safe", pure=True).parse(StringIO(text)):
        starts = isinstance(event, MappingStartEvent | SequenceStartEvent)
        depth += starts
        depth -= type(event).__name__ in {"MappingEndEvent", "SequenceEndEvent"}
        clever = isinstance(event, AliasEvent) or ((starts or isinstance(event, ScalarEvent)) and (event.anchor or event.tag))
        if clever or depth > _DEEPEST:
            where = Location(file, event.start_mark.line + 1, event.start_mark.column + 1)
            raise RulebookInvalid([Problem(where, "YAML-003", f"anchors, aliases, tags and more than {_DEEPEST} levels are not read")])


def _located(node: Node, file: str, problems: list[Problem]) -> Located:
    where = Location(file, node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, SequenceNode):
        return Sequence(tuple(_located(item, file, problems) for item in node.value), where)
    if isinstance(node, MappingNode):
        return Block(MappingProxyType(_entries(node, file, problems)), where)
    return _scalar(str(node.value), str(node.tag), where)


def _scalar(text: str, tag: str, where: Location) -> Scalar:
    types = {_INT: "number", _FLOAT: "number", _BOOL: "truth", _NULL: "nothing"}
    return Scalar(text, types.get(tag, "text"), where)


def _entries(node: MappingNode, file: str, problems: list[Problem]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for key_node, value_node in node.value:
        where = Location(file, key_node.start_mark.line + 1, key_node.start_mark.column + 1)
        key = str(key_node.value)
        if key in entries:
            problems.append(Problem(where, "YAML-002", f"'{key}' stands twice; first at line {entries[key].where.line}"))
        entries[key] = Entry(key, _located(value_node, file, problems), where)
    return entries
