"""Floor 3: the closed vocabulary of dosing texts, as data: what each word or phrase stands for; any other word is unread.

A line reads `KIND value: phrase | phrase`. The words of a phrase are as `scan` gives them: lower case, without dots and hyphens.
FILL is what cannot change the dose; INDICATION is skipped only after "for", "prn" and the like.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

_TABLE: Final = """
TAKE: take | takes | tk | taking | give | use | swallow | inject | administer | apply | insert | let dissolve | let | drink | measure | measure and take
TAKE mix: place | put | add | dissolve | mix | crush | crush and dissolve | crush and mix | dilute | crush or dissolve | dissolved | mixed | crushed and dissolved
TAKE start: starting at | starting with | beginning at | beginning with | starting from | starting dose of
TAKE first: first dose | first dose on | next dose | next dose on
TAKE: starting | starting on | beginning | beginning on | start date | effective | as of | start | start with | start at | start on | start taking | begin | begin with | begin at | begin taking | initiate | initiate at | started on
TAKE: continue | continue with | continue taking | resume | patient to take | to take | sig | rx
ROUTE oral: by mouth | po | orally | oral | by oral route | oral route | per os | via oral route | in mouth | through the mouth
ROUTE sublingual: sublingually | sublingual | sl | under the tongue | under tongue | beneath the tongue
ROUTE buccal: buccally | buccal | inside the cheek | in the cheek
ROUTE intramuscular: im | intramuscularly | intramuscular | into the muscle | by intramuscular injection | intramuscular injection | im injection
ROUTE subcutaneous: subcutaneously | subcutaneous | subcut | subq | sq | sc | under the skin | by subcutaneous injection
ROUTE intravenous: iv | intravenously | intravenous
ROUTE topical: topically | topical | to the skin | to skin | to affected area | to the affected area
ROUTE transdermal: transdermally | transdermal
ROUTE nasal: intranasally | intranasal | nasally
ROUTE rectal: rectally | rectal | pr

MASS mg: mg | mgs | milligram | milligrams
MASS ug: mcg | mcgs | µg | ug | microgram | micrograms
MASS g: g | gm | gram | grams
VOLUME mL: ml | mls | cc | milliliter | milliliters | millilitre | millilitres
PIECE one: tablet | tab | capsule | cap | pill | caplet | troche | lozenge | film | strip | patch | kit | suppository | vial | syringe
PIECE many: tablets | tabs | capsules | caps | pills | caplets | troches | lozenges | films | strips | patches | kits | suppositories | vials | syringes
BADUNIT: unit | units | u | iu | drop | drops | gtt | gtts | tsp | teaspoon | teaspoons | teaspoonful | tbsp | tablespoon | tablespoons | tablespoonful
BADUNIT: spray | sprays | puff | puffs | pump | pumps | click | clicks | meq | mmol | gr | grain | grains | oz | ounce | ounces | application
BADUNIT: mg / kg | mcg / kg | mg per kg | mcg per kg | mg / m | ng | mcg / h | mcg / hr | mcg / hour | mg / h | mg / hr | mg / hour | mcg per hour | mg per hour | mcg per hr

FREQ 1 1 d: daily | everyday | qd | qday | per diem
FREQ 1 2 d: qod | every other day | every second day | on alternate days | alternate days | q other day | every alternate day | each other day
FREQ 1 3 d: every third day
FREQ 2 1 d: bid | bd
FREQ 3 1 d: tid | tds
FREQ 4 1 d: qid | qds
FREQ 3 1 wk: tiw
FREQ 1 1 wk: weekly | qweek | qwk
FREQ 1 2 wk: every other week | every second week | fortnightly | every fortnight
FREQ 1 1 mo: monthly | qmonth | qmo
FREQ 1 1 h: hourly
NIGHTS 1 2 d: every other night | every second night | on alternate nights | alternate nights | every other evening at bedtime
NIGHTS 1 3 d: every third night
EVENINGS 1 2 d: every other evening
MORNINGS 1 2 d: every other morning
ONCE: now | stat | once only | one time only | one time dose | single dose | as a single dose | as a one time dose | immediately | one dose only
COUNT 1: once
COUNT 2: twice
COUNT 3: thrice
TIMES: time | times
EVERY: every | q
EVERY each: each
PER: per
UNIT h: hour | hours | hr | hrs | h
UNIT d: day | days | d | nights
UNIT wk: week | weeks | wk | wks | w
UNIT mo: month | months | mo | mos
UNIT min: minute | minutes | min | mins

RECURS HS: qhs | nightly at bedtime | every night at bedtime | each night at bedtime | every evening at bedtime | every night before bed | nightly before bed
MOMENT HS: hs | at bedtime | bedtime | bed time | at bed time | at hs | at hour of sleep | before going to sleep | when going to bed
RECURS HS: bedtimes
LEAD HS: before bedtime | before bed | prior to bedtime | prior to bed | before sleep | before going to bed
RECURS NIGHT: per night | / night | nightly | qnight | nocte
MOMENT NIGHT: at night | night | in the night
RECURS EVE: qpm
MOMENT EVE: in the evening | evening | evenings | at evening
MOMENT PM: in the pm | in pm
MERIDIEM pm: pm
MERIDIEM am: am
RECURS MORN: qam | mornings | mane
MOMENT MORN: in the morning | morning | in the am | in am | in morning
MOMENT NOON: at noon | noon | at midday | midday
MOMENT AFT: in the afternoon | afternoon | mid afternoon
MOMENT WAKE: upon waking | on waking | when waking | after waking | upon awakening | on awakening | on rising | upon arising
MOMENT CM: w / breakfast | with breakfast | breakfast
LEAD ACM: before breakfast | prior to breakfast
LEAD PCM: after breakfast
MOMENT CD: with lunch | lunch
LEAD ACD: before lunch
LEAD PCD: after lunch
MOMENT CV: w / dinner | w / supper | with dinner | with supper | with evening meal | with the evening meal | dinner | supper
LEAD ACV: before dinner | before supper
LEAD PCV: after dinner | after supper
MEALS: w / meals | with meals | with each meal | after meals | before meals | ac | pc | at meals | at mealtimes | with every meal
DAYS mon: monday | mondays | mon
DAYS tue: tuesday | tuesdays | tue | tues
DAYS wed: wednesday | wednesdays | wed | weds
DAYS thu: thursday | thursdays | thu | thur | thurs
DAYS fri: friday | fridays | fri
DAYS sat: saturday | saturdays
DAYS sat: sat
DAYS sun: sunday | sundays | sun
DAYS mon,tue,wed,thu,fri: weekdays | on weekdays | every weekday
DAYS sat,sun: weekends | on weekends | on the weekend | every weekend
DAYS mon,wed,fri: mwf | m / w / f | m w f
TO through: through | thru
ON: on | upon
AT: at | around | at around | about | at about

PRN: prn | as needed | if needed | when needed | as necessary | when required | as required | if required | only as needed | only if needed | only when needed
REFILLS: refills | refill | rf | r | rfl
SUPPLY: supply | ds | day supply | days supply | days ' supply
DISPENSE: dispense | disp | qty | quantity
FOR: for up to
FOR: for | during | for treatment of | for the treatment of | for management of | for the management of
TIMESFOR: x
FIRST: first
MORE: more | another | additional | second | third | fourth
AFTER: after
IN: in | within | into
WITH: with
DOSES: dose | doses
THEN: then | and then | followed by | after that | afterwards | thereafter | next | subsequently | and thereafter
ONGOING and: and on
ONGOING: onward | onwards | and onward | and onwards | on and after | and beyond | ongoing | and ongoing | thereafter and ongoing
INCREASE: increase | increase the dose | increase dose | increasing | raise | raise dose | titrate up | titrate upward | titrate upwards | titrate | uptitrate
INCREASE: titrate dose | advance | go up | escalate | increase dosage
DECREASE: decrease | decrease dose | reduce | reduce dose | lower | lower dose | taper | taper down | titrate down | wean | decrease the dose | reduce the dose
MAY: may increase | may increase dose | may increase the dose | can increase | can increase dose | ok to increase | okay to increase | may titrate up | may titrate
MAY: may titrate upward | may go up | may raise | may be increased | can be increased | may then increase | may then be increased | may titrate dose | could increase
AMBIGUOUS: may decrease | may reduce | can decrease | can reduce | may lower
TARGET: until taking | until you are taking | until | until reaching | until you reach | until at | until dose of | until a dose of | to reach | till | until dose is | to reach a dose of
TARGET: to target dose of | to a target dose of | to goal dose of | to a goal dose of | to goal of | to a goal of | to target of | to a target of | to goal | to target
TARGET: target dose | goal dose | target | goal
UPTO: up to | up to a max of | up to a maximum of | up to max of | up to maximum of | to a max of | to a maximum of | to max of | to maximum of | to max | to maximum
UPTO: to a maximum dose of | to a max dose of | to maximum dose of | to max dose of | up to max | up to a maximum dose of | up to maximum dose of
MAX: max | maximum | maximum of | max of | not to exceed | do not exceed | no more than | not more than | do not take more than | don't exceed | nte | max dose
MAX: maximum dose | max dose of | maximum dose of | don't take more than | with a maximum of | with a max of | must not exceed | do not use more than
MAXDAY: mdd | max daily dose | maximum daily dose | max daily | maximum daily | daily max | daily maximum | max daily dose of | maximum daily dose of | max total daily dose
MAXDAY: max daily amount | maximum daily amount | max daily amount of | max dose per day | max per day
BY: by | in steps of | in increments of | by increments of
INCREMENTS: increments | increment | steps
TO to: to
TO or: or
TOLERATED: as tolerated | if tolerated | if well tolerated | as tolerated by patient | as tolerated by the patient | as long as tolerated | if tolerating
OF: of | of the
A: a | an
AND: and | plus
HALF: half
QUARTER: quarter | quarters
TOTAL: total | in total
EQUALS: equals | equal to
EACHUNIT: per capsule | per tablet | per cap | per tab | / capsule | / tablet | / cap | / tab | in each capsule | in each tablet

DIRECTED: as directed | as directed by your doctor | as directed by doctor | as directed by physician | as directed by provider | as directed by prescriber
DIRECTED: as directed by your provider | as directed by md | as instructed | as prescribed | as advised | uad | ud | ut dict | ut dictum | as dir | exactly as prescribed
DIRECTED: as directed by your physician | as directed by your prescriber
PROTOCOL: per protocol | per schedule | per instructions | see instructions | see notes | see note | see comments | see attached | see attached schedule | per package instructions
PROTOCOL: follow titration schedule | per titration schedule | titration schedule | follow schedule | per package directions | see attached instructions | per taper schedule
PROTOCOL: see titration schedule | see schedule | as per protocol | follow instructions | follow package directions | see admin instructions | see administration instructions
AMBIGUOUS: od | biweekly | bi weekly | bimonthly | bi monthly | biw | semimonthly | qn | divided | in divided doses | split | every other | intermittently
AMBIGUOUS: once or more | as able

CAUTION: do not take with | do not take if | do not take while | do not take together with | do not take when | do not take any | do not use with | do not use if
CAUTION: do not use while | do not combine | do not mix with | do not drive | do not drink | do not crush | do not chew | do not share
PRECONDITION: do not start until | do not start | do not begin until | do not take until | must be opioid free | should be opioid free | opioid free | no opioids for
PRECONDITION: do not fill before | do not fill until | do not dispense before | may fill on | ok to fill on | fill on or after | discard after | discard in
PRECONDITION: avoid opioids for | avoid opioids | avoid all opioids | no opioid use for | stop opioids | must be off opioids | must be off all opioids
PRECONDITION: discard remaining | expires | expires in | good for | beyond use date | bud | stop all opioids | hold opioids | wait at least | patient must be
FILL: ok to substitute | okay to substitute | ok to mail | please mail | please deliver | spanish label | english label | compounded medication | compounded drug
CAUTION: monitor | monitor for | watch for | use caution | this medication | this medicine | compounded product | patient aware | patient counseled | patient education
CAUTION: avoid | may cause | can cause | might cause | side effects | call | contact | notify | report | stop if | stop and call | caution | warning | warnings
CAUTION: store | keep | keep out of | must not be taken with | not to be taken with | should not be taken with | needs to be compounded | must be compounded | to be compounded
CAUTION: compounded by | compounded at | compounding pharmacy | pharmacy | pharmacist | note to pharmacy | note to pharmacist | pharmacy note | compound as | compound into
CAUTION: send to | fill at | ok to compound | please compound | follow up with | follow up in clinic | discuss with | ask your | tell your | talk to | consult | wear medical alert
CAUTION: carry medical alert | no opioids | no narcotics | patient is not | patient not | not on opioids | pt not on | patient off | no concurrent | off label for | used off label for
CAUTION: soft stop | hard stop | physician stop | stop date | do not take opioids | do not take opioid | do not take narcotics | hold for surgery | hold before surgery

CAUTION: may take in the morning if | may take in morning if | may take in am if | may take in the am if | may take it in the morning if | may take earlier if
CAUTION: may take it earlier if | may take in the evening if | ok to take in the morning if | ok to take in am if | okay to take in the morning if
CAUTION: okay to take in am if | can take in the morning if | can take in am if | may move to morning if | may move to the morning if | may switch to morning if
CAUTION: may switch to the morning if | may switch to mornings if | switch to morning if | change to morning if | move to morning if | take earlier if | take in the morning if

HEADING: indication | indications | diagnosis | dx | reason
FILL: of water | of distilled water | distilled water | of tap water | water | of sterile water | sterile water | to make | to a concentration of | for a concentration of
FILL: w / food | w / water | w / a meal | w / or w / o food | until discontinued | until further notice | starting today | start today | starting tomorrow | today
FILL: starting tonight | start tonight | tonight | starting now | class print | class normal | class no print | normal | reached | is reached | is achieved | achieved
FILL: then reassess | then follow up | then re evaluate | then recheck | refrigerate the rest | refrigerate remainder | discard the rest | the rest
FILL: avicel | avicel filler | microcrystalline cellulose | sucrose filler | lactose free | no lactose | without lactose | rapid dissolve | sustained release free
FILL: at least | after food | in gluteal muscle | in the gluteal muscle | in gluteus | upper outer quadrant | start low go slow | start low and go slow
FILL: acid free | dye free | gluten free | filler | no fillers | nocturnal | po nightly dose | refrigerated | of the solution | of solution | of the mixture | of mixture | of this solution
FILL: please | the | your | of the day | with food | with or without food | with a meal | with a snack | with milk | with water | with a full glass of water | with a glass of water
FILL: with plenty of water | with fluids | with liquid | on an empty stomach | on empty stomach | without food | swallow whole | whole | do not crush | do not chew | do not crush or chew
FILL: do not crush or chew | do not open | do not split | do not cut | do not break | do not crush chew or break | or chew | or break | shake well | shake well before use
FILL: shake well before using | shake bottle well | keep refrigerated | refrigerate | store in refrigerator | keep at room temperature | protect from light
FILL: compounded | compound | compounding | off label | off label use | low dose | very low dose | ultra low dose | immediate release | extended release
FILL: ir | until finished | until gone | until all taken | until completed | may cause vivid dreams | may cause drowsiness | may cause dizziness
FILL: may cause insomnia | may cause headache | may cause nausea | may cause strange dreams | can cause vivid dreams | solution | suspension | liquid | oral solution
FILL: oral suspension | oral liquid | syrup | route | frequency | dosage | dose of | a dose of | the dose
FILL: gluteal | deep | into the gluteal muscle | into gluteal muscle | into the buttock | into the buttocks | gluteally | injection | alternating buttocks | into the shoulder
FILL: thigh | or buttocks | or buttock | into the thigh | into the deltoid | deltoid | by healthcare provider | by a healthcare provider | by nurse | in clinic | in the clinic
FILL: schedule | regularly | consistently | preferably | ideally | at the same time | at the same time each day | at the same time every day | period | of treatment
FILL: for maintenance | maintenance | maintenance dose | as maintenance | initial dose | initially | starting dose | loading dose | thank you | discard remainder | new dose | dose change
FILL: under supervision | supervised | observed | directly observed | medication | medicine | drug | until next visit | until follow up | until seen | long term | for long term use
FILL: with applesauce | sprinkle on food | with juice | with orange juice | stay at the lowest dose that helps | by patient | patient | do not drive | do not drink alcohol
FILL: avoid alcohol | do not take with alcohol | do not stop suddenly | do not stop abruptly | do not stop taking suddenly | no refills

INDICATION: pain | chronic pain | nerve pain | neuropathic pain | fibromyalgia | fibromyalgia pain | fibro | fm | fibromyalgia syndrome | widespread pain | severe pain | moderate pain
INDICATION: moderate to severe pain | mild pain | back pain | headache | headaches | migraine | migraines | sleep | insomnia | anxiety | depression | fatigue | chronic fatigue
INDICATION: chronic fatigue syndrome | me cfs | me / cfs | cfs | brain fog | inflammation | autoimmune disease | autoimmune disorder | autoimmune condition | autoimmunity
INDICATION: crohn's | crohn's disease | crohns | crohns disease | ulcerative colitis | colitis | ibd | ms | multiple sclerosis | long covid | post covid | pots | psoriasis | sarcoidosis
INDICATION: crps | complex regional pain syndrome | lupus | rheumatoid arthritis | ra | arthritis | hashimoto's | hashimoto's thyroiditis | pruritus | itch | itching | hailey hailey disease
INDICATION: alcohol dependence | alcohol use disorder | aud | alcohol use | alcohol cravings | alcoholism | cravings | craving | opioid use disorder | oud | opioid dependence
INDICATION: relapse prevention | alcohol | weight loss | weight | obesity | weight management | symptoms | spasms | cough | nausea | shortness of breath | wheezing | stiffness | flare | flares
INDICATION: breakthrough pain | joint pain | muscle pain | pelvic pain | symptom relief | pain relief | small fiber neuropathy | neuropathy | restless legs | mood
"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word or phrase stands for: its kind, and the value that the kind carries (a unit, a code, a count)."""

    kind: str
    value: str = ""


def _phrases() -> Mapping[tuple[str, ...], Meaning]:
    """Spread the table: one entry for each phrase."""
    spread: dict[tuple[str, ...], Meaning] = {}
    for line in filter(None, _TABLE.splitlines()):
        head, _, phrases = line.partition(":")
        kind, _, value = head.partition(" ")
        spread.update({tuple(phrase.split()): Meaning(kind, value) for phrase in phrases.split("|")})
    return MappingProxyType(spread)


PHRASES: Final = _phrases()
LONGEST_PHRASE: Final = max(map(len, PHRASES))
NUMBER_WORDS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11,
        "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
        "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "ninety": 90, "hundred": 100, "i": 1, "ii": 2, "iii": 3,
    },
)  # fmt: skip
TENS: Final = frozenset({20, 30, 40, 50, 60, 90})
WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
