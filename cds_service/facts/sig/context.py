"""Floor 3: words whose part depends on their neighbours ("x", "a", "to", "for", "in", "each") settled, for the grammar.

One pass from left to right; each step looks at no more than a fixed number of neighbours.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from cds_service.facts.sig.neighbours import Context
from cds_service.facts.sig.reasons import Refused
from cds_service.facts.sig.words import Item, at

_UNITS: Final = ("MASS", "VOLUME", "PIECE")
_MOMENTS: Final = ("MOMENT", "RECURS", "MERIDIEM", "LEAD")
_CHANGES: Final = ("INCREASE", "DECREASE", "MAY")
_IN_NOTE: Final = frozenset({"NUMBER", "TO", "MASS", "VOLUME", "PIECE", "EVERY", "TOTAL", "TIMESFOR", "A", "OF", "PER", "EACHUNIT", "EQ"})
_LONGEST_NOTE: Final = 12
_AND: Final = Item("AND")
_ONE: Final = Item("NUMBER", "word", Decimal(1))
_HOURS: Final = 24
_HALF_DAY: Final = 12
_EVERY_SECOND: Final = MappingProxyType({"NIGHTS": "NIGHT", "EVENINGS": "EVE", "MORNINGS": "MORN"})


def settle(items: Sequence[Item]) -> tuple[Item, ...]:
    """Settle words by their neighbours; raises Refused where the neighbours leave a word without a meaning."""
    context = Context(items)
    while context.index < len(items):
        item = items[context.index]
        _SETTLE.get(item.kind, _keep)(context, item)
        context.index += 1
    return tuple(context.out)


def _keep(context: Context, item: Item) -> None:
    """Write an item as it is."""
    context.out.append(item)


def _number(context: Context, item: Item) -> None:
    """Tell apart an amount, a clock time, and a count of something whose strength follows."""
    if context.peek().kind == "MERIDIEM":
        _clock_of_number(context, item)
        return
    context.out.append(item)
    ahead = [context.peek(n).kind for n in range(1, 6)]
    if item.number == 1 and ahead == ["OPEN", "NUMBER", "MASS", "CLOSE", "PIECE"]:
        context.write("MULT")
        context.out += (context.peek(2), context.peek(3), context.peek(5))
        context.index += 5
        return
    skipped = int(ahead[0] == "OF")
    skipped += ahead[skipped] == "A"
    is_strength = [context.peek(n).kind for n in range(skipped + 1, skipped + 4)] == ["NUMBER", "MASS", "PIECE"]
    if is_strength and (skipped or item.value == "word"):
        context.write("MULT")
        context.index += skipped


def _clock_of_number(context: Context, item: Item) -> None:
    """Read "9 pm" where a clock time can stand: after "at", in brackets, or after another clock time."""
    before = at(context.items, context.index - 1).kind
    is_listed = before in ("AND", "SEP") and at(context.out, len(context.out) - 2).kind == "CLOCK"
    if (before not in ("AT", "OPEN") and not is_listed) or item.value != "digits" or not 1 <= item.number <= _HALF_DAY:
        raise Refused("sig-ambiguous")
    context.write("CLOCK", _clock(int(item.number), "00", context.peek().value))
    context.index += 1


def _clock_time(context: Context, item: Item) -> None:
    """Read "9:00 pm" and "21:00"."""
    hour, minute = item.value.split(":")
    meridiem = context.peek().value if context.peek().kind == "MERIDIEM" else ""
    is_valid = int(hour) < _HOURS and int(minute) < len(range(60)) and (not meridiem or 1 <= int(hour) <= _HALF_DAY)
    if not is_valid:
        raise Refused("sig-ambiguous")
    context.write("CLOCK", _clock(int(hour), minute, meridiem))
    context.index += bool(meridiem)


def _clock(hour: int, minute: str, meridiem: str) -> str:
    """Write a clock time as FHIR does."""
    if meridiem:
        hour = hour % _HALF_DAY + (_HALF_DAY if meridiem == "pm" else 0)
    return f"{hour:02}:{minute}"


def _meridiem(context: Context, item: Item) -> None:
    """Read "am" and "pm" without a clock time as morning, and as what "pm" says: afternoon or evening."""
    context.write("MOMENT", "MORN" if item.value == "am" else "PM")


def _recurring(context: Context, item: Item) -> None:
    """A moment that the word itself repeats: "nightly"."""
    context.write("MOMENT", f"{item.value} recurs")


def _every_second(context: Context, item: Item) -> None:
    """Read "every other night": every two days, at that time."""
    context.write("FREQ", item.value)
    context.write("MOMENT", _EVERY_SECOND[item.kind])


def _article(context: Context, item: Item) -> None:
    """Read "a": one, per, or nothing."""
    following, later = context.peek(), context.peek(2)
    if following.kind == "PIECE":
        context.out.append(_ONE)
    elif following.kind == "UNIT":
        is_one = later.kind == "LEAD" or context.last.kind in ("FOR", "AFTER")
        context.out.append(_ONE if is_one else Item("PER"))
    elif following.kind not in ("NUMBER", *_MOMENTS):
        context.out.append(item)


def _every(context: Context, item: Item) -> None:
    """Read "every": before a moment or a weekday it only repeats; "each" after an amount is the strength of one."""
    following = context.peek()
    if following.kind in _MOMENTS:
        context.index += 1
        moment = {"am": "MORN", "pm": "EVE"}.get(following.value, following.value)
        context.write("MOMENT", f"{moment} recurs")
    elif item.value == "each" and context.last.kind == "MASS" and following.kind not in ("UNIT", "DAYS", "NUMBER"):
        context.write("EACH")
    elif following.kind != "DAYS":
        context.out.append(item)


def _per(context: Context, item: Item) -> None:
    """Read "per" and "/": a concentration before a volume, else how often."""
    following = context.peek(2) if context.peek().kind == "NUMBER" else context.peek()
    is_concentration = context.last.kind == "MASS" and following.kind == "VOLUME"
    if _joins_days(context):
        context.write("DAYJOIN")
    else:
        context.out.append(Item("CONC") if is_concentration else item)


def _each_unit(context: Context, _item: Item) -> None:
    """Read "1.5 mg per capsule"."""
    context.write("EACH")


def _place(context: Context, item: Item) -> None:
    """Read "on" and "at": nothing before a day or a time, "from then on" after a week's number."""
    if _dated(context):
        return
    following = context.peek()
    is_numbered = context.last.kind == "NUMBER" and at(context.out, len(context.out) - 2).kind == "LABEL"
    if item.kind == "ON" and is_numbered and following.kind not in ("DAYS", "CLOCK"):
        context.write("ONGOING")
    elif following.kind not in ("DAYS", "CLOCK", *_MOMENTS) and not _is_clock_or_label(context):
        raise Refused("sig-ambiguous" if following.kind == "NUMBER" else "sig-unread-words")


def _is_clock_or_label(context: Context) -> bool:
    """Tell whether "9 pm" or "day 1" follows."""
    kinds = (context.peek().kind, context.peek(2).kind)
    return kinds in (("NUMBER", "MERIDIEM"), ("UNIT", "NUMBER"))


def _inside(context: Context, _item: Item) -> None:
    """Read "in 24 hours" as per, "in 2 weeks" as after, "increase in 1.5 mg increments" as by."""
    if context.mode == "change" and context.peek().kind == "NUMBER" and context.peek(2).kind in _UNITS:
        _by(context, Item("BY"))
        return
    skipped = context.peek().kind == "A"
    number, unit = context.peek(1 + skipped), context.peek(2 + skipped)
    if skipped and number.kind == "UNIT":
        return
    if (number.kind, unit.kind) != ("NUMBER", "UNIT"):
        raise Refused("sig-unread-words")
    is_per = unit.value == "h" or (unit.value == "d" and number.number == 1)
    context.out.append(Item("PER") if is_per else Item("AFTER"))


def _x(context: Context, _item: Item) -> None:
    """Read "x": times, so many of a strength, for so long, or once."""
    following, later = context.peek(), context.peek(2)
    if context.last.kind == "NUMBER" and following.kind in ("FREQ", "PER", "A", "EVERY"):
        context.write("TIMES")
    elif following.kind == "NUMBER" and following.number == 1 and later.kind in ("FREQ", "RECURS", "PER", "A"):
        context.write("COUNT", "1")
        context.index += 1
    elif context.last.kind == "NUMBER" and following.kind == "UNIT":
        context.out += (Item("TIMES"), Item("PER"))
    elif context.last.kind == "NUMBER" and following.kind == "NUMBER" and later.kind == "MASS":
        context.write("MULT")
    elif following.kind == "A" or (following.kind == "NUMBER" and later.kind in ("UNIT", "DOSES", "TO", "MORE")):
        context.write("FOR")
    elif following.kind == "NUMBER" and following.number == 1:
        context.write("ONCE")
        context.index += 1
    else:
        raise Refused("sig-ambiguous")


def _for(context: Context, item: Item) -> None:
    """Read "for": so long, or what the drug is for."""
    following = context.peek()
    if following.kind in ("NUMBER", "FIRST", "A", "MORE"):
        context.out.append(item)
    elif following.kind != "INDICATION":
        raise Refused("sig-unread-words")


def _first(context: Context, _item: Item) -> None:
    """Read "the first week" and "the first 2 weeks"."""
    if context.last.kind != "FOR":
        context.write("FOR")
    if context.peek().kind == "UNIT":
        context.out.append(_ONE)


def _more(context: Context, item: Item) -> None:
    """Read "another week" as one more."""
    context.out.append(item)
    if context.peek().kind == "UNIT" and at(context.out, len(context.out) - 2).kind != "NUMBER":
        context.out.append(_ONE)


def _unit(context: Context, item: Item) -> None:
    """Tell "week 2" from "2 weeks"."""
    if (
        item.value == "d"
        and context.last.kind == "NUMBER"
        and context.peek().kind in ("PER", "A")
        and context.peek(2).value in ("wk", "mo")
    ):
        context.write("TIMES")
        return
    is_label = context.peek().kind == "NUMBER" and context.last.kind not in ("NUMBER", "PER", "EVERY", "MORE")
    context.out.append(Item("LABEL", item.value) if is_label else item)


def _joins_days(context: Context) -> bool:
    """A weekday stands on both sides of the connecting word."""
    return context.last.kind == context.peek().kind == "DAYS"


def _pause(context: Context, item: Item) -> None:
    """Tell a list of weekdays from a pause."""
    context.out.append(Item("DAYJOIN") if _joins_days(context) else item)


def _ongoing(context: Context, item: Item) -> None:
    """Tell "week 3 and on" from "on Monday and on Thursday"."""
    if item.value == "and" and context.peek().kind == "DAYS":
        _and(context, _AND)
    else:
        context.out.append(item)


def _to(context: Context, item: Item) -> None:
    """Tell the "to" of a range from the "to" of a change."""
    if _joins_days(context):
        context.write("DAYJOIN", item.value)
        return
    if _dated(context):
        return
    last, following = context.last.kind, context.peek()
    if item.value == "to" and last == "THEN":
        return
    is_goal = last in _CHANGES or context.mode == "by" or (context.mode == "change" and last not in ("NUMBER", *_UNITS))
    if item.value == "to" and is_goal and following.kind in ("NUMBER", "A"):
        context.write("TARGET")
        context.mode = None
    elif not (following.kind == "INDICATION" and _follows_indication(context)):
        context.out.append(Item("TO"))


def _change(context: Context, item: Item) -> None:
    """Begin a change; "dose" after it says nothing more."""
    context.mode = "change"
    context.out.append(item)
    if context.peek().kind == "DOSES":
        context.index += 1


def _by(context: Context, item: Item) -> None:
    """Begin the amount of a change."""
    context.mode = "by"
    context.out.append(item)


def _then(context: Context, item: Item) -> None:
    """Begin the next step; "then as directed" leaves it to directions."""
    if context.peek().kind == "DIRECTED":
        raise Refused("sig-as-directed")
    context.mode = None
    context.out.append(item)


def _doses(context: Context, item: Item) -> None:
    """Drop the heading of "Dose: 4.5 mg"."""
    is_heading = context.last.kind in ("END", "SEP") and context.peek().kind == "NUMBER"
    if not is_heading:
        context.out.append(item)


def _indication(context: Context, _item: Item) -> None:
    """Skip what the drug is for, where it is said to be that."""
    if at(context.items, context.index - 1).kind not in ("FOR", "PRN", "HEADING") and not _follows_indication(context):
        raise Refused("sig-unread-words")
    following = context.peek(2) if context.peek().kind == "EVERY" else context.peek()
    named = {item.value.partition(" ")[0] for item in (context.last, following) if item.kind in ("MOMENT", "RECURS")}
    if len(named) > 1 and named != {"NIGHT", "HS"}:
        raise Refused("sig-ambiguous")  # "nightly for pain in the morning": the pain, or a second dose?


def _follows_indication(context: Context) -> bool:
    """An indication stands before the connecting word in hand or just passed."""
    before = [at(context.items, context.index - back).kind for back in (1, 2, 3)]
    return "INDICATION" in before and all(kind in ("AND", "SEP", "TO") for kind in before[: before.index("INDICATION")])


def _and(context: Context, item: Item) -> None:
    """Drop the "and" before a further indication."""
    if context.peek().kind == "DAYS" and context.last.kind == "SEP" and at(context.out, len(context.out) - 2).kind == "DAYS":
        context.out[-1] = Item("DAYJOIN")
    elif _joins_labels(context):
        context.write("TO")
    elif context.peek().kind != "INDICATION":
        _pause(context, item)


def _joins_labels(context: Context) -> bool:
    """Tell "weeks 1 and 2": numbers that follow each other behind "weeks"."""
    is_label = context.last.kind == "NUMBER" and at(context.out, len(context.out) - 2).kind == "LABEL"
    return is_label and context.peek().kind == "NUMBER" and context.peek().number == context.last.number + 1


def _heading(context: Context, _item: Item) -> None:
    """Accept the heading of an indication, and nothing else after it."""
    if context.peek().kind not in ("INDICATION", "FOR"):
        raise Refused("sig-unread-words")


def _open(context: Context, _item: Item) -> None:
    """Keep brackets around an amount that states the one before once more; other brackets say nothing."""
    ahead = [context.peek(n) for n in range(1, _LONGEST_NOTE)]
    kinds = [item.kind for item in ahead]
    inside = kinds[: kinds.index("CLOSE")] if "CLOSE" in kinds else []
    is_amount = "NUMBER" in inside and bool(set(_UNITS) & set(inside)) and set(inside) <= _IN_NOTE
    if is_amount and context.last.kind in (*_UNITS, "EACH", "TOTAL", "NUMBER"):
        context.write("NOTE")
        context.note_ends = context.index + len(inside) + 1


def _close(context: Context, _item: Item) -> None:
    """Close the brackets that were kept."""
    if context.index == context.note_ends:
        context.write("NOTEEND")


def _taking(context: Context, item: Item) -> None:
    """Read "starting 12/1/2026" as a date; other words of taking stay."""
    if _dated(context):
        return
    if item.value == "first":
        raise Refused("sig-ambiguous")
    context.out.append(item)


def _until(context: Context, item: Item) -> None:
    """Read "until 12/31/2026" as a date; else it leads to where a change ends."""
    if not _dated(context):
        context.out.append(item)


def _dated(context: Context) -> bool:
    """Take a date that follows, and say whether one did."""
    has_weekday = context.peek().kind == "DAYS"
    if context.peek(1 + has_weekday).kind != "DATE":
        return False
    context.write("DATED")
    context.index += 1 + has_weekday
    return True


def _unplaced(_context: Context, item: Item) -> None:
    """Refuse a date, or "with", that nothing explains."""
    raise Refused("sig-ambiguous" if item.kind == "DATE" else "sig-unread-words")


def _drop(_context: Context, _item: Item) -> None:
    """Write nothing."""


_Settle = Callable[[Context, Item], None]
_SETTLE: Final[dict[str, _Settle]] = {
    "NUMBER": _number, "CLOCK": _clock_time, "MERIDIEM": _meridiem, "RECURS": _recurring, "NIGHTS": _every_second,
    "EVENINGS": _every_second, "MORNINGS": _every_second, "A": _article, "EVERY": _every, "PER": _per,
    "EACHUNIT": _each_unit, "ON": _place, "AT": _place, "IN": _inside, "TIMESFOR": _x, "FOR": _for, "FIRST": _first, "UNIT": _unit,
    "TO": _to, "INCREASE": _change, "DECREASE": _change, "MAY": _change, "BY": _by, "THEN": _then, "DOSES": _doses,
    "TAKE": _taking, "TARGET": _until, "DATE": _unplaced, "SUPPLY": _unplaced, "PRECONDITION": _unplaced, "WITH": _unplaced, "CAUTION": _unplaced, "INDICATION": _indication, "MORE": _more, "AND": _and, "ONGOING": _ongoing, "SEP": _pause, "HEADING": _heading, "OPEN": _open, "CLOSE": _close, "OF": _drop, "EQUALS": lambda c, _i: c.write("EQ"),
}  # fmt: skip
