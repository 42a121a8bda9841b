"""The format of the card files: the shapes that the loader checks and the JSON Schema that editors use."""

from typing import Any, Final

from cds_service.cards.shape import Listing, Members, Shape, Table, Text, schema_of

KEY: Final = r"[a-z0-9]+(-[a-z0-9]+)*"
_URL: Final = Text("absolute https address", r"https://[^\s<>\"]+", expected="an absolute https address")
_DAY: Final = Text("a day, YYYY-MM-DD", r"[0-9]{4}-[0-9]{2}-[0-9]{2}", expected="a day as YYYY-MM-DD")
_ID: Final = Text("kebab-case id", KEY, expected="a kebab-case id")
_LANGUAGES: Final = r"[a-z]{2,3}(-[A-Z]{2})?"
_TOPIC: Final = Text("static topic code, letters and digits", r"[a-z0-9]{1,100}", expected="letters and digits alone")


def _needs(about: str, members: dict[str, Shape], *optional: str) -> Members:
    return Members(about, members, frozenset(members) - frozenset(optional))


_SOURCE: Final = _needs("who says so", {"label": Text("name of the source"), "url": _URL}, "url", "label")
_SECTION: Final = _needs(
    "what a finding says",
    {
        "title": Text("heading, a noun phrase"),
        "summary": Text("template of the summary: one sentence under 140 characters"),
        "body": Text("template of the section in Markdown, at most 120 words"),
    },
)
_CLOSING: Final = _needs("told once for a rule, after its sections", {"title": Text("heading"), "body": Text("template in Markdown")})
_CARD_TEXTS: Final = _needs(
    "texts of one language",
    {
        "sections": Table("texts by what the finding says: `says`, or `rule-id/says` where two rules share the card", _SECTION),
        "closings": Table("closing words by rule id", _CLOSING),
        "tables": Table("look-up tables for templates: tables.name.get(key, tables.name.other)", Table("phrases", Text("phrase"))),
    },
    "closings",
    "tables",
)
REFERENCE: Final = _needs(
    "where a statement of the texts comes from",
    {"title": Text("title"), "section": Text("section"), "url": _URL, "published": _DAY, "checked": _DAY},
    "section", "url", "published",
)  # fmt: skip
_CODING: Final = _needs("a FHIR Coding", {"system": Text("system"), "code": Text("code"), "display": Text("display")})
_OFFER_TEXTS: Final = _needs(
    "words of a suggestion",
    {
        "label": Text("what the clinician may choose"),
        "description": Text("what the action does"),
        "product": Text("name of the product that replaces the ordered one"),
        "sig": Text("dosage text of the changed order; of a titration, of one step"),
        "note": Text("note of the changed order"),
        "label_product_alone": Text("the label for a client that applies the product of an update and nothing else"),
        "description_product_alone": Text("the description for such a client"),
    },
    "product", "sig", "note", "label_product_alone", "description_product_alone",
)  # fmt: skip
OFFERS: Final = ("remove-order", "start-low", "start-titration", "record-indication")
_OFFER: Final = _needs(
    "a suggestion and when it stands",
    {
        "kind": Text("what is suggested", allowed=OFFERS, expected="a kind of suggestion"),
        "rule": _ID,
        "says": Listing("only for findings that say one of these", _ID),
        "recommended": Listing("recommended where an exposure that is certain says one of these", _ID),
        "drugs": Listing("the order's drug is in one of these classes", _ID),
        "never_drugs": Listing("and in none of these", _ID),
        "not_beside": Listing("not where one of these rules fired for the same order", _ID),
        "routes": Listing("the order's route, where it is known, is one of these", _ID),
        "limit": Text("threshold of the rule that gives the daily dose", r"[a-z0-9_]+", expected="the name of a threshold"),
        "smallest_volume": Text("smallest volume that is measured, as '0.1 mL'", r"[0-9]{1,3}(\.[0-9]{1,3})? mL", expected="a volume in mL"),
        "product_system": Text("code system of the ingredient code"),
        "product_route": _CODING,
        "texts": Table("words by language", _OFFER_TEXTS, _LANGUAGES),
    },
    "rule", "recommended", "not_beside", "routes", "limit", "smallest_volume", "product_system", "product_route",
)  # fmt: skip
_THRESHOLD: Final = Text("threshold of the rule", r"[a-z0-9_]+", expected="the name of a threshold")
_SCHEDULE: Final = _needs(
    "the usual steps, by thresholds of every rule that uses the card: templates see them as `schedule`",
    {"start": _THRESHOLD, "step": _THRESHOLD, "target": _THRESHOLD, "every": _THRESHOLD},
)
CARD: Final = _needs(
    "one card: texts, suggestions and override reasons",
    {
        "id": _ID,
        "title": Text("what the card is about, for the topic"),
        "source": _SOURCE,
        "topic": _TOPIC,
        "gathered": Text("findings that share one card", allowed=("finding", "order", "signing"), expected="how findings are gathered"),
        "texts": Table("texts by language", _CARD_TEXTS, _LANGUAGES),
        "references": Table("sources of the texts beside those of the rules", REFERENCE, r"[a-z0-9_]+"),
        "cites": Table("by section, or by rule for closing words: template of the references they rest on, with commas; left out: all", Text("keys")),
        "schedule": _SCHEDULE,
        "suggestions": Listing("what the card may suggest", _OFFER),
        "override_reasons": Listing("codes of cards/override-reasons.yaml", _ID),
    },
    "source", "topic", "gathered", "references", "cites", "schedule", "suggestions",
)  # fmt: skip
_UNIT: Final = _needs("words of a unit", {"one": Text("for 1"), "other": Text("for any other number")})
_WORDS: Final = _needs(
    "words that all cards share",
    {
        "unknown": Text("stands for an amount that is not known"),
        "unnamed": Text("stands for a drug without a name"),
        "no_indication": Text("stands for indications that are not known"),
        "to": Text("between the ends of a range"),
        "and": Text("before the last of several names"),
        "more": Text("template: {{ count }} names left out"),
        "references": Text("heading"),
        "section": Text("before the section of a reference"),
        "stale": Text("template: reference last checked on {{ day }}, more than 12 months ago"),
        "also": Text("template: {{ first }} summary and the {{ titles }} of further sections"),
        "rule": Text("template: {{ rule }}, {{ version }}, {{ site }}"),
        "basis": Text("template: {{ rules }}, {{ pack }}, {{ decision }}, {{ inputs }}"),
        "input": Text("template: {{ name }}, {{ dose }} and {{ indication }} of one order, as far as they were used"),
        "indications": Table("where the indication was found", Text("words")),
        "sources": Table("what told of an exposure", Text("words")),
        "units": Table("words of units", _UNIT, r"[a-zA-Z/]+"),
    },
)
LIBRARY: Final = _needs(
    "what all cards share",
    {
        "source": _SOURCE,
        "extension": Text("reverse-domain key of the card's extension", r"[a-z0-9.-]+", expected="a reverse-domain key"),
        "undosed": Listing("dose classes whose dose is not told", _ID),
        "words": Table("shared words by language", _WORDS, _LANGUAGES),
        "otherwise": Table("text for a finding that no card file has a text for", _SECTION, _LANGUAGES),
        "otherwise_reasons": Listing("override reasons of such a card", _ID),
    },
)
REASONS: Final = _needs(
    "why a clinician goes on",
    {"reasons": Table("reasons by code", Table("display by language", Text("display"), _LANGUAGES), KEY)},
)


def card_schema() -> dict[str, Any]:
    """Return the JSON Schema of a card file, as it stands in cards/card.schema.json."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Card file", **schema_of(CARD)}
