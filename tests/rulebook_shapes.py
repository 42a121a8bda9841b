"""Writes what the loader says of each place of a sound pack when something of another shape stands there: `python -m tests.rulebook_shapes`.

The words of a refusal are all that an author of rules has to go by; rulebook_broken/shapes.txt shows in review how they change.
"""

import json
from collections.abc import Iterator
from typing import Any

from cds_service.errors import RulebookInvalid
from cds_service.located import as_plain, read_yaml
from tests.rulebook_pack import BROKEN, TODAY, base, pack

KEPT = BROKEN / "shapes.txt"
_OTHERS: dict[str, Any] = {"x": "x", "7 d": "7 d", "{zz: 1}": {"zz": "1"}, "[zz]": ["zz"]}
_MORE = {"manifest.yaml": "longest_courses: {completed: 90 d, reference: review}\n"}
"""What the base leaves out, since it need not be there."""
_LIKE_OTHERS = ("cases/1", "cases/2", "cases/4", "source_attributes/")
"""Places that are shaped as others are."""


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON value
    """Name every place below a node, by keys and positions."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in members:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the tree with another value at one place; `...` takes the place away."""
    if not path:
        return value
    copy = list(tree) if isinstance(tree, list) else dict(tree)
    if value is ... and len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = changed(tree[path[0]], path[1:], value)
    return copy


def lines_of(file: str, tree: Any) -> list[str]:  # noqa: ANN401 - any JSON value
    """Return the problems of the pack with this tree as one of its files, in words, without line numbers."""
    try:
        rulebook = pack({file: json.dumps(tree)})
    except RulebookInvalid as error:
        problems = tuple(error.problems)
    else:
        problems = (*rulebook.problems(), *rulebook.warnings(TODAY))
    return sorted(f"{problem.where.file.removeprefix('rules/')} {problem.code} {problem.message}" for problem in problems)


def said(file: str) -> str:
    """Write down what is said of each place of one file of the base."""
    tree = as_plain(read_yaml(base()[file] + _MORE.get(file, ""), file))
    assert lines_of(file, tree) == []
    text = ""
    for path in ((), *places(tree)):
        shown = "/".join(map(str, path))
        if shown.startswith(_LIKE_OTHERS):
            continue
        others = {**_OTHERS, **({"away": ...} if path else {})}
        for name, value in others.items():
            text += "".join(f"{file} {shown} = {name} -> {line}\n" for line in lines_of(file, changed(tree, path, value)))
    return text


def main() -> None:
    """Write the file anew."""
    KEPT.write_text("".join(said(file) for file in base()), encoding="utf-8")


if __name__ == "__main__":
    main()
