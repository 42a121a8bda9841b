"""Floor 1: the errors of the whole program, each with a stable code and a location, none with patient data."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """Where in a file something stands; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """`file:line:column`, as editors and compilers write it."""
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a rule, card, value set, drug table or case file."""

    where: Location
    code: str
    message: str

    def __str__(self) -> str:
        """`file:line:column CODE message`: one line for a terminal."""
        return f"{self.where} {self.code} {self.message}"


class CdsError(Exception):
    """The root of every error that this program raises on purpose."""

    code = "CDS-000"


class RulebookInvalid(CdsError):
    """The rules, cards or terminology files cannot be used; holds every problem found, not the first alone."""

    code = "RULE-000"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Sort the problems by file and line, so that the same files give the same report."""
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsRefused(CdsError):
    """The settings would start the service in an unsafe or contradictory way."""

    code = "SET-000"


class RequestRefused(CdsError):
    """A request that is answered with a 4xx and an OperationOutcome: says what was found and what is expected.

    `issue` is a code of the FHIR issue-type value set ("structure", "value", "required", "not-found", …).
    """

    def __init__(
        self, code: str, found: str, expected: str, *, status: HTTPStatus = HTTPStatus.BAD_REQUEST, issue: str = "structure"
    ) -> None:
        """Keep the parts apart: the web floor writes them as an OperationOutcome."""
        self.code = code
        self.found = found
        self.expected = expected
        self.status = status
        self.issue = issue
        super().__init__(f"{code}: found {found}; expected {expected}")


class StoreUnavailable(CdsError):
    """The database that holds decisions and feedback cannot be used now; says how, without its own words, which can hold values."""

    code = "STORE-000"

    def __init__(self, how: str) -> None:
        """`how` continues the sentence "the store is …"."""
        super().__init__(f"STORE-000 the store is {how}")


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the closest allowed word, or an empty text where none is close."""
    close = difflib.get_close_matches(word, list(allowed), n=1)
    return f"; did you mean '{close[0]}'?" if close else ""
