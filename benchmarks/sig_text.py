"""Precision, recall and refusal rate of the sig parser by class, over the hand-written corpus and the generator.

Run `python -m benchmarks.sig_text` at the root; with `--markdown` it prints the tables of docs/sig-text.md.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cds_service.facts.sig import SigReading, read_sig
from cds_service.located import as_plain, read_yaml
from tests.sig_generator import generated, notation

CORPUS = Path(__file__).parent.parent / "tests" / "sig_corpus.yaml"
SEED = 2026
GENERATED = 10_000


@dataclass(slots=True)
class Score:
    """What became of the texts of one class."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    rightly_refused: int = 0
    wrongly_read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, text: str, meaning: str, names: frozenset[str], *, is_readable: bool) -> None:
        """Read one text and judge the answer."""
        read = read_sig(text, names)
        is_read = isinstance(read, SigReading)
        if not isinstance(read, SigReading):
            self.reasons[read.reason] += 1
        if not is_readable:
            self.wrongly_read += is_read
            self.rightly_refused += not is_read
        elif not is_read:
            self.missed += 1
        elif notation(read) == meaning:
            self.right += 1
        else:
            self.wrong += 1

    def plus(self, other: "Score") -> "Score":
        """Both together."""
        return Score(
            self.right + other.right,
            self.wrong + other.wrong,
            self.missed + other.missed,
            self.rightly_refused + other.rightly_refused,
            self.wrongly_read + other.wrongly_read,
            self.reasons + other.reasons,
        )

    def row(self, name: str) -> list[str]:
        """Return the cells of one line of the table."""
        readable, unclear = self.right + self.wrong + self.missed, self.rightly_refused + self.wrongly_read
        read = self.right + self.wrong + self.wrongly_read
        refused = self.missed + self.rightly_refused
        return [
            name,
            str(readable),
            str(unclear),
            _share(self.right, read),
            _share(self.right, readable),
            _share(refused, readable + unclear),
            str(self.wrong + self.wrongly_read),
        ]


def _share(part: int, whole: int) -> str:
    """Write a share in percent."""
    return f"{100 * part / whole:.1f}" if whole else "-"


def corpus_scores() -> dict[str, Score]:
    """Read the hand-written corpus."""
    corpus = as_plain(read_yaml(CORPUS.read_text(encoding="utf-8"), CORPUS.name))
    names = frozenset(corpus["names"])
    scores = {kind: Score() for kind in corpus["classes"]}
    for kind, texts in corpus["classes"].items():
        for part in ("read", "refuse"):
            for text, meaning in texts.get(part, {}).items():
                scores[kind].add(text, meaning, names, is_readable=part == "read")
    return scores


def generator_scores() -> dict[str, Score]:
    """Read what the generator makes of one seed."""
    scores: dict[str, Score] = {}
    for sig in generated(SEED, GENERATED):
        scores.setdefault(sig.kind, Score()).add(sig.text, sig.meaning, frozenset(), is_readable=bool(sig.meaning))
    return scores


def table(title: str, scores: dict[str, Score], *, is_markdown: bool) -> str:
    """Write the scores of each class and of all together."""
    total = Score()
    for score in scores.values():
        total = total.plus(score)
    head = [title, "readable", "to refuse", "precision %", "recall %", "refused %", "wrong"]
    rows = [head, *(score.row(kind) for kind, score in scores.items()), total.row("all")]
    if is_markdown:
        rows.insert(1, ["---"] * len(head))
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    reasons = ", ".join(f"{reason} {count}" for reason, count in total.reasons.most_common())
    return "\n".join([*lines, f"refusals: {reasons}"])


def main(arguments: Iterable[str]) -> None:
    """Print both tables; leave with an error where anything was read wrongly."""
    is_markdown = "--markdown" in arguments
    tables = {"corpus": corpus_scores(), "generator": generator_scores()}
    for title, scores in tables.items():
        print(table(title, scores, is_markdown=is_markdown), end="\n\n")
    if any(score.wrong or score.wrongly_read for scores in tables.values() for score in scores.values()):
        sys.exit("a text was read wrongly")


if __name__ == "__main__":
    main(sys.argv[1:])
