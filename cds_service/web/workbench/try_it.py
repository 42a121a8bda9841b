"""Floor 7: the page "Try it": one order, the cards as an EHR shows them, and how each rule came to its answer."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast, get_args

from flask import Blueprint, Response, request

from cds_service.cards import PROFILES, CardLibrary, ProfileName
from cds_service.errors import RequestRefused
from cds_service.fhir.chart import Kind
from cds_service.hooks.answer import as_json
from cds_service.hooks.call import HookCall, HookName
from cds_service.hooks.json_text import json_text
from cds_service.hooks.parse import read_call, read_object
from cds_service.service import ClientWishes, Decision
from cds_service.web.workbench.card_view import card_views
from cds_service.web.workbench.order_form import (
    FREQUENCIES,
    LISTS,
    MEDICINES,
    PROBLEMS,
    UNITS,
    Medicine,
    Mistake,
    OrderForm,
    dose_in_words,
    mistakes,
    names_in,
    plain_name,
    request_of,
    sent_form,
)
from cds_service.web.workbench.reason_view import order_views, rule_views
from cds_service.web.workbench.samples import Sample, SampleGroup, find_sample, following, read_samples, samples_file
from cds_service.web.workbench.shell import Shell
from cds_service.web.workbench.sources import Sources

_CLIENTS: Final = {"standard": "Any EHR (standard)", "epic": "Epic", "sandbox": "CDS Hooks sandbox"}
_LANGUAGES: Final = {"en": "English", "es": "Español"}
_WIDTHS: Final = {"wide": "Desktop", "phone": "Phone"}
_LONGEST_SHOWN: Final = 200_000
"""Characters of a request that are shown again; a longer one is answered all the same."""


@dataclass(frozen=True, slots=True)
class View:
    """How the reader wants to see the cards: as which client's, in which language, how wide."""

    client: ProfileName
    language: str
    width: str


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried: its heading, the request, and where it came from (a sample, a form or a pasted text)."""

    title: str
    story: str
    body: bytes
    sample: str = ""
    form: OrderForm | None = None
    pasted: str = ""
    following: Sample | None = None


def add_try_it(blueprint: Blueprint, shell: Shell, sources: Sources) -> None:
    """Add the page to the blueprint."""
    page = _Page(shell, sources, read_samples(samples_file()))
    blueprint.add_url_rule("", "try_it", page.show, methods=["GET"])
    blueprint.add_url_rule("", "try_this", page.try_this, methods=["POST"])


@dataclass(frozen=True, slots=True)
class _Page:
    """The page with what it needs."""

    shell: Shell
    sources: Sources
    samples: Sequence[SampleGroup]

    def show(self) -> Response:
        """Show the samples, or the answer to one of them."""
        name = request.args.get("sample", "")
        sample = find_sample(self.samples, name)
        if sample is None:
            mistake = [Mistake("samples", "Sample", "is none of these; choose one")] if name else []
            return self._start(HTTPStatus.NOT_FOUND if name else HTTPStatus.OK, problems=mistake)
        body = json_text(request_of(sample.form, self.sources.today())).encode()
        return self._answer(
            Tried(sample.title, sample.story, body, sample.id, sample.form, following=following(self.samples, sample)), request.args
        )

    def try_this(self) -> Response:
        """Answer what was filled in or pasted; nothing of it is kept."""
        if request.form.get("what") == "request":
            return self._pasted(request.form.get("request", ""))
        form = sent_form(request.form)
        problems = mistakes(form)
        if problems:
            return self._start(HTTPStatus.BAD_REQUEST, form=form, problems=problems)
        body = json_text(request_of(form, self.sources.today())).encode()
        return self._answer(Tried("Your order", "As you filled it in; nothing of it was kept.", body, form=form), request.form)

    def _pasted(self, text: str) -> Response:
        tried = Tried("Your request", "As you pasted it; nothing of it was kept.", text.encode("utf-8", "replace"), pasted=text)
        return self._answer(tried, request.form)

    def _start(
        self, status: HTTPStatus = HTTPStatus.OK, *, form: OrderForm | None = None, pasted: str = "", problems: Sequence[Mistake] = ()
    ) -> Response:
        return self.shell.page(
            "try_it.html", status, groups=self.samples, problems=problems, pasted=pasted, is_own=form is not None, **self._form_values(form)
        )

    def _form_values(self, form: OrderForm | None) -> dict[str, Any]:
        """Collect what the form of an order shows."""
        shown = form or OrderForm()
        products, diagnoses = names_in([sample.form for group in self.samples for sample in group.samples])
        return {
            "form": shown,
            "medicines": [*shown.medicines, *[Medicine.empty()] * MEDICINES][:MEDICINES],
            "diagnoses": [*shown.problems, *[""] * PROBLEMS][:PROBLEMS],
            "frequencies": {name: words for name, (words, _) in FREQUENCIES.items()},
            "units": [(unit, unit) for unit in UNITS],
            "lists": LISTS,
            "known_products": products,
            "known_diagnoses": diagnoses,
        }

    def _answer(self, tried: Tried, chosen: Mapping[str, str]) -> Response:
        """Evaluate a request and show the answer; one that the service would refuse is told in words."""
        view = self._view(chosen)
        try:
            call = read_call(tried.body, hook_of(tried.body))
        except RequestRefused as refused:
            problem = Mistake("request", f"The request ({refused.code})", f"holds {refused.found}; expected {refused.expected}")
            return self._start(HTTPStatus.BAD_REQUEST, pasted=tried.pasted, problems=[problem])
        started = time.perf_counter()
        decision = self.sources.explain(call, ClientWishes(languages=(view.language,), profile=view.client))
        took = (time.perf_counter() - started) * 1000
        return self.shell.page(
            "answer.html",
            tried=tried,
            view=view,
            choices={"client": _CLIENTS, "language": self._languages(), "width": _WIDTHS},
            took=round(took, 1),
            **_shown(decision, call, tried, self.sources.pack().cards, view.language),
            **self._form_values(tried.form),
        )

    def _view(self, chosen: Mapping[str, str]) -> View:
        client, language, width = (chosen.get(name, "") for name in ("client", "language", "width"))
        return View(
            cast("ProfileName", client) if client in PROFILES else "standard",
            language if language in self._languages() else next(iter(self._languages())),
            width if width in _WIDTHS else "wide",
        )

    def _languages(self) -> dict[str, str]:
        return {language: _LANGUAGES.get(language, language) for language in self.sources.pack().cards.words}


def hook_of(body: bytes) -> HookName:
    """Take the request's own hook as that of the service called; raises RequestRefused, also for what is no JSON object."""
    hook = read_object(body).get("hook")
    if hook not in get_args(HookName):
        raise RequestRefused("REQ-101", "no hook that this service answers", "order-sign or order-select in the member 'hook'")
    return cast("HookName", hook)


def _shown(decision: Decision, call: HookCall, tried: Tried, library: CardLibrary, language: str) -> dict[str, Any]:
    """Collect what the page shows of an answer that was asked for in a language."""
    answer = {"cards": as_json(decision.cards)}
    return {
        "decision": decision,
        "cards": card_views(decision, call, library, language),
        "orders": order_views(decision),
        "rules": rule_views(decision),
        "completeness": {kind.value: decision.completeness[kind].value if kind in decision.completeness else "not needed" for kind in Kind},
        "request_text": _indented(tried.body),
        "answer_text": laid_out(answer),
        "plain_name": plain_name,
        "dose_in_words": dose_in_words,
    }


def laid_out(value: Any, margin: str = "") -> str:  # noqa: ANN401 - any JSON value
    """Write a JSON value over several lines for a reader, numbers with their own digits."""
    inner = margin + "  "
    if isinstance(value, Mapping) and value:
        members = [f"{inner}{json_text(str(name))}: {laid_out(member, inner)}" for name, member in value.items()]
        return "{\n" + ",\n".join(members) + f"\n{margin}}}"
    if isinstance(value, list | tuple) and value:
        return "[\n" + ",\n".join(inner + laid_out(part, inner) for part in value) + f"\n{margin}]"
    return json_text(value)


def _indented(body: bytes) -> str:
    """Lay out a request; a very long one is cut."""
    text = laid_out(read_object(body))
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "\n…"
