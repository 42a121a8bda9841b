"""Floor 5: findings and card files become CDS Hooks cards.

`load_cards` reads the files of `cards/`; `make_cards` writes the cards of one answer; `rule_problems` compares the files
with the rules that use them; `card_schema` is the JSON Schema for editors.
"""

from cds_service.cards.crosscheck import rule_problems, unused_cards
from cds_service.cards.format import card_schema
from cds_service.cards.library import CardLibrary
from cds_service.cards.loader import load_cards
from cds_service.cards.making import CardOptions, make_cards, make_grounded_cards
from cds_service.cards.profiles import PROFILES, ProfileName

__all__ = [
    "PROFILES",
    "CardLibrary",
    "CardOptions",
    "ProfileName",
    "card_schema",
    "load_cards",
    "make_cards",
    "make_grounded_cards",
    "rule_problems",
    "unused_cards",
]
