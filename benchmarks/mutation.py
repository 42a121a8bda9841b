"""Mutation score of what decides (facts, sig text, rulebook): `python -m benchmarks.mutation --sample 300 --seed 1 [--only PATTERN]`.

mutmut (`pip install mutmut`, settings in pyproject.toml) makes the mutants and runs for each the tests that reach it. There are about
14,000, hours of work, so that a random sample is drawn: the score comes with its 95 % interval (Wilson), and the survivors by name.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

MUTANTS: Final = Path("mutants")
_KILLED: Final = frozenset([1, 3, 24, -24, 36, 152, 255])
"""Exit codes of mutmut for a mutant that a test noticed, or that never ended."""
_NO_TESTS: Final = 33
_KILLED_ANEW: Final = 1
_ANEW: Final = ("tests/test_sig_corpus.py", "tests/test_rulebook_loading.py", "tests/test_dose.py")
"""Tests that import all that is mutated."""


def main() -> None:
    """Make the mutants, draw the sample, run it, print the score."""
    asked = _arguments()
    _mutmut(["cds_service.rulebook.vocabulary*"])
    everything = sorted(name for name in _results() if fnmatchcase(name, asked.only))
    sample = sorted(random.Random(asked.seed).sample(everything, min(asked.sample, len(everything))))
    _mutmut(sample)
    results = _results()
    results |= {name: _KILLED_ANEW for name in sample if results[name] == 0 and _is_noticed_anew(name)}
    print(f"{len(everything)} mutants, {len(sample)} drawn with seed {asked.seed}")
    _print_scores({name: results[name] for name in sample})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="*", help="names of mutants, as cds_service.facts.sig.*")
    return parser.parse_args()


def _mutmut(names: list[str]) -> None:
    """Run mutants by name; its own words go to standard error."""
    command = [str(Path(sys.executable).with_name("mutmut")), "run", "--max-children", "1", *names]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        sys.exit(ended.stdout[-3000:])


def _is_noticed_anew(name: str) -> bool:
    """Tell whether tests in a process of their own notice a survivor: mutmut switches mutants on after the import, too late for constants."""
    environment = {**os.environ, "MUTANT_UNDER_TEST": name}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", "-p", "no:xdist", *_ANEW]
    return subprocess.run(command, cwd=MUTANTS, env=environment, stdout=subprocess.DEVNULL, check=False).returncode != 0


def _results() -> dict[str, int | None]:
    """Read what mutmut knows of each mutant, by name: the exit code of its tests, None where they were not run."""
    files = (json.loads(path.read_text(encoding="utf-8")) for path in MUTANTS.rglob("*.meta"))
    return {name: code for file in files for name, code in file["exit_code_by_key"].items()}


def _print_scores(results: dict[str, int | None]) -> None:
    """Print the score of each module, of all, and the survivors."""
    drawn = Counter(_module(name) for name in results)
    killed = Counter(_module(name) for name, code in results.items() if code in _KILLED)
    for module in sorted(drawn):
        print(f"{module:<44} {killed[module]:>4} of {drawn[module]:>4}")
    low, high = _wilson(killed.total(), drawn.total())
    print(f"all: {killed.total()} of {drawn.total()} killed, {killed.total() / drawn.total():.1%} (95 % interval {low:.1%} to {high:.1%})")
    for name, code in sorted(results.items()):
        if code not in _KILLED:
            print(f"  {'no test reaches' if code == _NO_TESTS else 'survived' if code == 0 else f'exit {code}'}: {name}")


def _module(name: str) -> str:
    """Return the module of a mutant: `cds_service.facts.dose.x_daily__mutmut_3` is one of `facts.dose`."""
    return name.removeprefix("cds_service.").rpartition(".")[0]


def _wilson(hits: int, tries: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share."""
    share, spread = hits / tries, z * z / tries
    middle = (share + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(share * (1 - share) / tries + spread / tries / 4)
    return middle - half, middle + half


if __name__ == "__main__":
    main()
