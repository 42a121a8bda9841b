"""Floor 3: the grammar of dosing texts (LALR(1), read by lark) over items that the vocabulary and their neighbours have settled.

The grammar knows phrases: amounts, frequencies, moments, lengths, limits, changes. Which phrase belongs to which step is
settled afterwards, in `clauses`. Time is linear in the number of items: an LALR parser never goes back.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput
from lark.lexer import Lexer, LexerState

from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.words import Item

_GRAMMAR: Final = r"""
start: _part+
_part: dose | frequency | moment | meals | days | length | after | label | limit | by | goal | upto | word
!word: TAKE | ROUTE | THEN | SEP | AND | PRN | MEALS | TOLERATED | DIRECTED | INCREASE | DECREASE | MAY | ONGOING | ONCE | DATED

range: NUMBER (TO NUMBER)?
mass: range MASS (TO range MASS)?
volume: range VOLUME (TO range VOLUME)?
pieces: range PIECE (TO range PIECE)?
product: range MASS PIECE
packs: range MULT range MASS PIECE
bare: range
concentration: range MASS CONC range? VOLUME
_amount: mass | volume | pieces | product | packs | concentration

dose: (_amount | bare) share? note?
share: EACH | TOTAL
note: NOTE (_amount share?)+ NOTEEND | EQ _amount

times: range TIMES | COUNT (TO COUNT)?
most_times: UPTO times
_often: times | most_times
frequency: _often? (FREQ | PER UNIT | PER range UNIT | EVERY UNIT | EVERY range UNIT) | _often
moment: MOMENT | CLOCK | LEAD | range UNIT LEAD
meals: range UNIT MEALS
days: DAYS (DAYJOIN? DAYS)*
length: FOR MORE? range MORE? UNIT | FOR range DOSES
after: AFTER MORE? range MORE? UNIT
label: LABEL range ONGOING?
limit: (MAX | MAXDAY) dose
by: BY dose INCREMENTS? | dose INCREMENTS
goal: TARGET dose
upto: UPTO dose

%declare TAKE ROUTE THEN SEP AND PRN MEALS TOLERATED DIRECTED INCREASE DECREASE MAY ONGOING ONCE DATED
%declare NUMBER TO MASS VOLUME PIECE MULT CONC EACH TOTAL NOTE NOTEEND EQ
%declare TIMES COUNT UPTO FREQ PER UNIT EVERY MOMENT CLOCK LEAD DAYS DAYJOIN FOR MORE DOSES AFTER LABEL MAX MAXDAY BY INCREMENTS TARGET
"""


class _Items(Lexer):
    """Hands settled items to lark as its tokens."""

    __future_interface__ = 2

    def __init__(self, lexer_conf: Any) -> None:  # noqa: ANN401 - lark's own signature
        """Need nothing of lark's configuration."""

    def lex(self, lexer_state: LexerState, parser_state: Any) -> Iterator[Token]:  # noqa: ANN401, ARG002 - lark's own signature
        """Yield one token for each item, with the item as its value."""
        items: Any = lexer_state.text
        for item in items:
            token = Token(item.kind, item.kind)
            token.value = item
            yield token


_PARSER: Final = Lark(_GRAMMAR, parser="lalr", lexer=_Items)


def parse(items: Sequence[Item]) -> Sequence[Tree[Token]]:
    """Return the phrases of a text in their order; raises Refused where they do not follow the grammar."""
    text: Any = items  # what lark hands to the lexer as it is
    try:
        phrases: Any = _PARSER.parse(text).children
    except UnexpectedInput:
        raise Refused("sig-ambiguous") from None
    found: Sequence[Tree[Token]] = phrases
    return found
