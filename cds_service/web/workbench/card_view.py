"""Floor 7: cards as the templates of the workbench show them: Markdown as an EHR renders it, suggestions with what they would change."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

from cds_service.cards import CardLibrary
from cds_service.hooks.answer import Action, Card, Suggestion
from cds_service.hooks.call import HookCall
from cds_service.hooks.json_text import json_text
from cds_service.service import Decision

_ELSEWHERE: Final = {"rel": "noopener noreferrer", "target": "_blank"}


def _outward(renderer: RendererHTML, tokens: list[Token], index: int, options: OptionsDict, env: EnvType) -> str:
    """Open links in a page of their own that cannot reach back."""
    tokens[index].attrs.update(_ELSEWHERE)
    return renderer.renderToken(tokens, index, options, env)


def _renderer() -> MarkdownIt:
    """Make a renderer that knows what EHRs do of GitHub's Markdown; raw HTML stays text, and no picture is fetched."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable(["image", "html_inline", "html_block"])
    markdown.add_render_rule("link_open", _outward)
    return markdown


_MARKDOWN: Final = _renderer()


@dataclass(frozen=True, slots=True)
class Change:
    """One element of a resource before and after; empty where it is not there."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ActionView:
    """What one action would do: `kind` is create, update or delete; `target` names the resource."""

    kind: str
    description: str
    target: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class SuggestionView:
    """Something the clinician could take."""

    label: str
    is_recommended: bool
    actions: tuple[ActionView, ...]


@dataclass(frozen=True, slots=True)
class CardView:
    """One card with its detail as HTML, the rules that it tells of, and the language that it is written in."""

    card: Card
    detail: Markup
    suggestions: tuple[SuggestionView, ...]
    rules: tuple[str, ...]
    language: str


def card_views(decision: Decision, call: HookCall, library: CardLibrary, language: str) -> list[CardView]:
    """Prepare the cards of an answer that was asked for in a language; `call` holds the drafts that suggestions start from."""
    drafts = dict(_drafts(call))
    return [
        CardView(
            card,
            markdown(card.detail),
            tuple(_suggestion(one, drafts) for one in card.suggestions),
            tuple(dict.fromkeys(finding.rule.id for finding in findings)),
            library.language_of((library.card(finding.rule.card) for finding in findings), language),
        )
        for card, findings in zip(decision.cards, decision.grounds, strict=True)
    ]


def markdown(text: str) -> Markup:
    """Render Markdown to HTML of the renderer's own elements alone."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - raw HTML in the text was escaped by the renderer


def _drafts(call: HookCall) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the drafts by `Type/id`, as far as they are whole enough to be compared."""
    entries = (call.draft_orders or {}).get("entry")
    for entry in entries if isinstance(entries, list) else ():
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield f"{resource.get('resourceType')}/{resource.get('id')}", resource


def _suggestion(suggestion: Suggestion, drafts: Mapping[str, Mapping[str, Any]]) -> SuggestionView:
    return SuggestionView(suggestion.label, suggestion.isRecommended, tuple(_action(one, drafts) for one in suggestion.actions))


def _action(action: Action, drafts: Mapping[str, Mapping[str, Any]]) -> ActionView:
    resource = action.resource or {}
    target = action.resourceId or "/".join(str(resource[part]) for part in ("resourceType", "id") if part in resource)
    before = drafts.get(target, {}) if action.type == "update" else {}
    return ActionView(action.type, action.description, target, tuple(changes(before, resource)))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    """Yield every element in which two resources differ, in the order of the first, then of the second."""
    old, new = dict(elements(before)), dict(elements(after))
    for path in dict.fromkeys([*old, *new]):
        was, becomes = old.get(path, ""), new.get(path, "")
        if was != becomes:
            yield Change(path, was, becomes)


def elements(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Yield each leaf of a JSON value with its path: `dosageInstruction[0].text`."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from elements(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list | tuple):
        for number, member in enumerate(value):
            yield from elements(member, f"{path}[{number}]")
    else:
        yield path, value if isinstance(value, str) else json_text(value)
