"""Reads card files into a library; every problem of every file is reported at once, with its place (RulebookInvalid, CARD-nnn)."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.sandbox import SandboxedEnvironment

from cds_service.cards import format as card_format
from cds_service.cards.library import CardFile, CardLibrary, CardTexts, Citation, Closing, Offer, OfferTexts, Schedule, Section, Words
from cds_service.cards.samples import sample_problems
from cds_service.cards.shape import Shape, at, problems_of
from cds_service.cards.text import fragment_template, markdown_template, plain_template
from cds_service.errors import Location, Problem, RulebookInvalid, nearest
from cds_service.hooks.answer import Coding, Source
from cds_service.located import Located, Sequence, as_plain, read_yaml
from cds_service.rulebook.types import Reference

LIBRARY_FILE: Final = "library.yaml"
REASONS_FILE: Final = "override-reasons.yaml"
Plain = Mapping[str, Any]
_OFFER_NEEDS: Final = MappingProxyType(
    {"start-low": (("limit", "product_system"), ("product", "sig")), "start-titration": (("product_system",), ("product", "sig", "note"))}
)
"""What a kind of suggestion cannot do without: members, and texts."""


def load_cards(files: Mapping[str, str], canonical: str) -> CardLibrary:
    """Read the card files (name → text, names relative to `cards/`); `canonical` is the pack's base URI.

    Raises RulebookInvalid with all problems of all files.
    """
    problems: list[Problem] = []
    trees = {name: tree for name in sorted(files) if (tree := _read(name, files[name], problems)) is not None}
    problems += [
        Problem(Location(name, 1, 1), "CARD-003", "the file is missing") for name in (LIBRARY_FILE, REASONS_FILE) if name not in files
    ]
    if not {LIBRARY_FILE, REASONS_FILE} <= trees.keys():
        raise RulebookInvalid(problems)
    reader = _Reader(canonical, trees, problems)
    library = reader.library()
    problems += _duplicate_topics(trees, library)
    if not problems:
        problems += sample_problems(library, trees)
    if problems:
        raise RulebookInvalid(problems)
    return library


def _read(name: str, text: str, problems: list[Problem]) -> Located | None:
    """Read one file and check its shape; `None` where it is not fit to be looked at further."""
    try:
        tree = read_yaml(text, name)
    except RulebookInvalid as invalid:
        problems.extend(invalid.problems)
        return None
    found = problems_of(tree, _shape_of(name))
    problems.extend(found)
    return None if found else tree


def _shape_of(name: str) -> Shape:
    return {LIBRARY_FILE: card_format.LIBRARY, REASONS_FILE: card_format.REASONS}.get(name, card_format.CARD)


def _duplicate_topics(trees: Mapping[str, Located], library: CardLibrary) -> Iterator[Problem]:
    """Topics must differ: EHRs remember overrides by them (INTEROP.md, section 3)."""
    owners: dict[str, str] = {}
    for card in library.cards.values():
        topic = card.source.topic.code if card.source.topic else ""
        first = owners.setdefault(topic, card.id)
        if first != card.id:
            where = at(trees[f"{card.id}.yaml"], "topic").where
            yield Problem(where, "CARD-009", f"topic '{topic}' is already that of '{first}'")


class _Reader:
    """Turns trees of the right shape into the library, noting what is wrong with their content."""

    def __init__(self, canonical: str, trees: Mapping[str, Located], problems: list[Problem]) -> None:
        """Keep what every card file needs: shared words, reasons and the list of problems."""
        self.canonical = canonical.rstrip("/")
        self.trees = trees
        self.problems = problems
        self.shared: Plain = as_plain(trees[LIBRARY_FILE])
        self.reasons: Mapping[str, Mapping[str, str]] = as_plain(trees[REASONS_FILE])["reasons"]

    def library(self) -> CardLibrary:
        """Read everything."""
        tree = self.trees[LIBRARY_FILE]
        self._needs_english(tree, "words")
        self._needs_english(tree, "otherwise")
        for code in self.reasons:
            self._needs_english(self.trees[REASONS_FILE], "reasons", code)
        names = [name for name in self.trees if name not in {LIBRARY_FILE, REASONS_FILE}]
        cards = [self._card(name, self.trees[name]) for name in names]
        return CardLibrary(
            cards=MappingProxyType({card.id: card for card in cards}),
            words=MappingProxyType({language: self._words(language) for language in self.shared["words"]}),
            otherwise=self._otherwise(),
            reasons=self.reasons,
            extension=self.shared["extension"],
            undosed=frozenset(self.shared["undosed"]),
            canonical=self.canonical,
        )

    def _needs_english(self, tree: Located, *path: str) -> None:
        place = at(tree, *path)
        if "en" not in as_plain(place):
            self.problems.append(Problem(place.where, "CARD-004", "no English text ('en'), which every other language falls back to"))

    def _needs_the_same(self, tree: Located, texts: Mapping[str, CardTexts]) -> None:
        """A language has every section, closing and table that English has: a card is never half in one and half in the other."""
        for language, own in texts.items():
            english = texts.get("en", own)
            pairs = ((english.sections, own.sections), (english.closings, own.closings), (english.tables, own.tables))
            lacking = sorted({key for all_of, some in pairs for key in all_of.keys() - some.keys()})
            if lacking:
                message = f"'{language}' lacks what English has: {', '.join(lacking)}"
                self.problems.append(Problem(at(tree, "texts", language).where, "CARD-004", message))

    def _card(self, name: str, tree: Located) -> CardFile:
        plain: Plain = as_plain(tree)
        if f"{plain['id']}.yaml" != name:
            self.problems.append(Problem(at(tree, "id").where, "CARD-003", f"the id '{plain['id']}' is not the name of the file"))
        self._needs_english(tree, "texts")
        self._check_reasons(at(tree, "override_reasons"))
        texts = {language: self._card_texts(tree, language) for language in plain["texts"]}
        self._needs_the_same(tree, texts)
        return CardFile(
            id=plain["id"],
            source=self._source(plain),
            gathered=plain.get("gathered", "finding"),
            texts=MappingProxyType(texts),
            references=self._references(tree, plain.get("references", {})),
            cites={
                key: self._citation(at(tree, "cites", key), key, texts.get("en", CardTexts({}, {}, {}))) for key in plain.get("cites", {})
            },
            offers=tuple(self._offers(at(tree, "suggestions"))) if "suggestions" in plain else (),
            override_reasons=tuple(plain["override_reasons"]),
            schedule=Schedule(**plain["schedule"]) if "schedule" in plain else None,
        )

    def _otherwise(self) -> CardFile:
        tree = self.trees[LIBRARY_FILE]
        self._check_reasons(at(tree, "otherwise_reasons"))
        texts = {
            language: CardTexts(MappingProxyType({"default": self._section(tree, "otherwise", language)}), MappingProxyType({}), {})
            for language in self.shared["otherwise"]
        }
        source = Source(self.shared["source"]["label"], self.shared["source"].get("url", ""))
        return CardFile("", source, "finding", MappingProxyType(texts), override_reasons=tuple(self.shared["otherwise_reasons"]))

    def _source(self, plain: Plain) -> Source:
        shared, own = self.shared["source"], plain.get("source", {})
        topic = Coding(f"{self.canonical}/CodeSystem/topics", plain.get("topic", plain["id"].replace("-", "")), plain["title"])
        return Source(own.get("label", shared["label"]), own.get("url", shared.get("url", "")), topic=topic)

    def _check_reasons(self, place: Located) -> None:
        for item in place.items if isinstance(place, Sequence) else ():
            code = as_plain(item)
            if code not in self.reasons:
                message = f"no override reason '{code}' in {REASONS_FILE}{nearest(code, self.reasons)}"
                self.problems.append(Problem(item.where, "CARD-007", message))

    def _card_texts(self, tree: Located, language: str) -> CardTexts:
        plain: Plain = as_plain(at(tree, "texts", language))
        sections = {key: self._section(tree, "texts", language, "sections", key) for key in plain["sections"]}
        closings = {key: self._closing(tree, "texts", language, "closings", key) for key in plain.get("closings", {})}
        return CardTexts(MappingProxyType(sections), MappingProxyType(closings), plain.get("tables", {}))

    def _section(self, tree: Located, *path: str) -> Section:
        body = at(tree, *path, "body")
        summary = at(tree, *path, "summary")
        return Section(
            self._template(at(tree, *path, "title"), markdown_template),
            self._template(summary, plain_template),
            self._template(body, markdown_template),
            _limits(body) | _limits(summary),
        )

    def _citation(self, place: Located, key: str, texts: CardTexts) -> Citation:
        """Read what a section, or a rule's closing words, rest on; a key of neither would be silently without effect."""
        known = {*texts.sections, *texts.closings}
        if key not in known:
            self.problems.append(Problem(place.where, "CARD-016", f"no section and no closing '{key}'{nearest(key, known)}"))
        return Citation(self._template(place, plain_template), _words_of(place))

    def _closing(self, tree: Located, *path: str) -> Closing:
        body = at(tree, *path, "body")
        return Closing(self._template(at(tree, *path, "title"), markdown_template), self._template(body, markdown_template), _limits(body))

    def _template(self, place: Located, compiled: Callable[[str], Template]) -> Template:
        try:
            return compiled(as_plain(place))
        except TemplateSyntaxError as error:
            self.problems.append(Problem(place.where, "CARD-005", f"template: {error.message} (line {error.lineno} of the text)"))
            return compiled("")

    def _references(self, tree: Located, plain: Plain) -> tuple[Reference, ...]:
        day = partial(self._day, tree)
        return tuple(
            Reference(key, one["title"], day(key, "checked") or date.min, one.get("section", ""), one.get("url", ""), day(key, "published"))
            for key, one in plain.items()
        )

    def _day(self, tree: Located, key: str, member: str) -> date | None:
        place = at(tree, "references", key, member)
        text = as_plain(place)
        if not isinstance(text, str):
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.problems.append(Problem(place.where, "CARD-008", f"'{text}' is no day of the calendar"))
            return None

    def _offers(self, place: Located) -> Iterator[Offer]:
        for item in place.items if isinstance(place, Sequence) else ():
            plain: Plain = as_plain(item)
            self._needs_english(item, "texts")
            self._check_offer(item, plain)
            lists = {name: frozenset(plain.get(name, ())) for name in ("recommended", "drugs", "never_drugs", "not_beside", "routes")}
            yield Offer(
                plain["kind"],
                frozenset(plain["says"]),
                {language: self._offer_texts(item, language) for language in plain["texts"]},
                rule=plain.get("rule", ""),
                limit=plain.get("limit", ""),
                smallest_volume=Decimal(plain.get("smallest_volume", "0 mL").partition(" ")[0]),
                product_system=plain.get("product_system", ""),
                product_route=Coding(**plain["product_route"]) if "product_route" in plain else None,
                **lists,
            )

    def _check_offer(self, item: Located, plain: Plain) -> None:
        """What one kind of suggestion cannot do without, and a recommendation for what is not even offered."""
        needs, words = _OFFER_NEEDS.get(plain["kind"], ((), ()))
        missing = [name for name in needs if name not in plain]
        missing += [name for name in words if name not in plain["texts"].get("en", {})]
        self.problems += [Problem(item.where, "CARD-006", f"a suggestion '{plain['kind']}' needs '{name}'") for name in missing]
        for says in plain.get("recommended", ()):
            if says not in plain["says"]:
                message = f"'{says}' is recommended but not among 'says'{nearest(says, plain['says'])}"
                self.problems.append(Problem(at(item, "recommended").where, "CARD-006", message))

    def _offer_texts(self, item: Located, language: str) -> OfferTexts:
        names = as_plain(at(item, "texts", language))
        templates = {name: self._template(at(item, "texts", language, name), plain_template) for name in names}
        return OfferTexts(**templates)

    def _words(self, language: str) -> Words:
        plain: Plain = self.shared["words"][language]
        tree = at(self.trees[LIBRARY_FILE], "words", language)
        return Words(
            unknown=plain["unknown"],
            unnamed=plain["unnamed"],
            no_indication=plain["no_indication"],
            to=plain["to"],
            conjunction=plain["and"],
            references=plain["references"],
            section=plain["section"],
            more=self._template(at(tree, "more"), fragment_template),
            also=self._template(at(tree, "also"), plain_template),
            stale=self._template(at(tree, "stale"), markdown_template),
            rule=self._template(at(tree, "rule"), fragment_template),
            basis=self._template(at(tree, "basis"), markdown_template),
            input=self._template(at(tree, "input"), fragment_template),
            indications=plain["indications"],
            sources=plain["sources"],
            units={unit: (words["one"], words["other"]) for unit, words in plain["units"].items()},
        )


def _words_of(place: Located) -> frozenset[str]:
    """The words that a template writes itself, with commas between them, whatever its conditions; none where it cannot be parsed."""
    try:
        tree = SandboxedEnvironment().parse(as_plain(place))
    except TemplateSyntaxError:
        return frozenset()
    written = "".join(node.data for node in tree.find_all(nodes.TemplateData))
    return frozenset(word.strip() for word in written.split(",")) - {""}


def _limits(place: Located) -> frozenset[str]:
    """Names that a template reads from `limits`, to be compared with the thresholds of its rule; none where it cannot be parsed."""
    try:
        tree = SandboxedEnvironment().parse(as_plain(place))  # the tree alone: nothing is rendered
    except TemplateSyntaxError:
        return frozenset()
    reads = tree.find_all(nodes.Getattr)
    return frozenset(node.attr for node in reads if isinstance(node.node, nodes.Name) and node.node.name == "limits")
