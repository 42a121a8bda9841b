"""What a clinician overrode is not said again for the same order in the same encounter, where a site wants that; what is critical always is."""

import copy
import json
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, select

from cds_service.advisor import PackAdvisor
from cds_service.app import create_app
from cds_service.errors import StoreUnavailable
from cds_service.hooks.feedback import FeedbackItem
from cds_service.hooks.parse import read_call
from cds_service.memory import open_memory
from cds_service.service import Pack, Wishes
from cds_service.settings import Settings, read_settings
from cds_service.store import marks as marks_module
from cds_service.store.engine import Store
from cds_service.store.feedback import FeedbackBook
from cds_service.store.marks import OverrideMarks, forget_marks
from cds_service.store.recorder import Caller, Recorder
from cds_service.store.schema import findings, override_marks
from cds_service.store.writer import DecisionWriter
from tests.clinic import (
    CROHN,
    EVERY_OTHER_DAY,
    FIBROMYALGIA,
    LDN_CAPSULE,
    TABLET_50,
    TRAMADOL,
    amount,
    call,
    condition,
    dosage,
    listed,
    order,
)
from tests.conftest import NOON, ZONE
from tests.store_floor import DATABASES, opened, rows, store_at

Json = dict[str, Any]
LASTS = timedelta(hours=24)


@dataclass
class Named:
    """Keeps feedback as that of a client: without a registry nobody has a name."""

    store: Store
    name: Callable[[], str]

    def keep(self, items: Sequence[FeedbackItem], *, service: str, client: str, received_at: datetime) -> None:  # noqa: ARG002 - as FeedbackKeeper
        FeedbackBook(self.store).keep(items, service=service, client=self.name(), received_at=received_at)


@dataclass
class Clinic:
    """A service with its store, whose clock the test moves."""

    pack: Pack
    store: Store
    key: bytes = b"k" * 32
    client_name: str = "ehr"
    now: datetime = NOON
    patience: float = 20.0
    ask: Store | None = None
    """Another store to ask, where the test wants to spoil that."""
    writer: DecisionWriter = field(init=False)
    marks: OverrideMarks = field(init=False)
    client: FlaskClient = field(init=False)

    def __post_init__(self) -> None:
        """Set up the service."""
        self.writer = DecisionWriter(self.store)
        self.marks = OverrideMarks(self.ask or self.store, self.key, lambda: self.client_name, lambda: self.now, self.patience)
        recorder = Recorder(self.writer, self.key, lambda: Caller(self.client_name), override_lasts=LASTS)
        advisor = PackAdvisor(self.pack, ZONE, Wishes(), lambda: self.now, record=recorder, overrides=self.marks)
        self.client = create_app(Settings(), advisor, None, Named(self.store, lambda: self.client_name)).test_client()

    def cards(self, request: Json) -> list[Json]:
        """Call the service, and wait until the decision is written."""
        before = self.writer.counts.written
        answer = self.client.post(f"/cds-services/naltrexone-{request['hook']}", data=json.dumps(request), content_type="application/json")
        assert answer.status_code == 200
        until = time.monotonic() + 20
        while self.writer.counts.written == before and time.monotonic() < until:
            time.sleep(0.01)
        cards: list[Json] = answer.get_json()["cards"]
        return cards

    def override(self, cards: list[Json], outcome: str = "overridden") -> None:
        """Say of cards that they were overridden, over HTTP."""
        said = {"feedback": [{"card": card["uuid"], "outcome": outcome} for card in cards]}
        answer = self.client.post("/cds-services/naltrexone-order-sign/feedback", data=json.dumps(said), content_type="application/json")
        assert answer.status_code == 200


@pytest.fixture(params=DATABASES)
def any_clinic(request: pytest.FixtureRequest, pack: Pack, tmp_path: Path) -> Iterator[Clinic]:
    with opened(request.param, tmp_path) as store:
        clinic = Clinic(pack, store)
        yield clinic
        clinic.writer.stop()


@pytest.fixture
def clinic(pack: Pack, tmp_path: Path) -> Iterator[Clinic]:
    with opened("sqlite", tmp_path) as store:
        one = Clinic(pack, store)
        yield one
        one.writer.stop()


def low_dose(encounter: str = "e1", **more: Any) -> Json:  # noqa: ANN401 - elements of the order
    """A signing about which there is information and no alarm."""
    draft = order(LDN_CAPSULE, more.pop("dosage", dosage(4.5)), reason=FIBROMYALGIA, id="mr-1", **more)
    request = call(draft, conditions=[condition(FIBROMYALGIA)])
    request["context"]["encounterId"] = encounter
    return request


def told(cards: list[Json]) -> set[str]:
    """Name the rules that cards tell of."""
    return {finding["rule"] for card in cards for part in card["extension"].values() for finding in part["findings"]}


def test_an_overridden_card_is_not_shown_again(any_clinic: Clinic) -> None:
    shown = any_clinic.cards(low_dose())
    assert told(shown) >= {"off-label-low-dose"}
    assert any_clinic.cards(low_dose()) != []
    any_clinic.override(shown)
    assert any_clinic.cards(low_dose()) == []
    fates = [row["fate"] for row in rows(any_clinic.store, findings) if row["rule"] == "off-label-low-dose"]
    assert sorted(fates) == ["overridden", "shown", "shown"]


def test_what_was_not_overridden_is_shown_again(clinic: Clinic) -> None:
    shown = clinic.cards(low_dose())
    clinic.override(shown, "accepted")
    assert told(clinic.cards(low_dose())) == told(shown)


@pytest.mark.parametrize(
    "changed",
    [
        low_dose("e2"),
        low_dose(""),
        low_dose(dosage=dosage(3)),
        low_dose(dosage=dosage(4.5, timing=EVERY_OTHER_DAY)),
        low_dose(dispenseRequest={"quantity": amount(60, "{capsule}")}),
        low_dose(reasonCode=[copy.deepcopy(CROHN)]),
        low_dose(medicationCodeableConcept={"text": "NALTREXONE (LDN) 4.5 MG TABLET - COMPOUND"}),
    ],
    ids=["encounter", "no encounter", "dose", "frequency", "quantity", "indication", "product"],
)
def test_a_changed_order_or_another_encounter_is_told_of_again(clinic: Clinic, changed: Json) -> None:
    clinic.override(clinic.cards(low_dose()))
    assert "off-label-low-dose" in told(clinic.cards(changed))


def test_another_patient_and_another_order_are_told_of(clinic: Clinic) -> None:
    clinic.override(clinic.cards(low_dose()))
    second = low_dose()
    other = json.loads(json.dumps(low_dose()).replace("Patient/p1", "Patient/p2").replace('"p1"', '"p2"'))
    assert other["context"]["patientId"] == "p2"
    second["context"]["draftOrders"]["entry"][0]["resource"]["id"] = "mr-2"
    assert "off-label-low-dose" in told(clinic.cards(other))
    assert "off-label-low-dose" in told(clinic.cards(second))


def test_a_new_indication_on_the_problem_list_is_told_of(clinic: Clinic) -> None:
    request = low_dose(reasonCode=None)
    clinic.override(clinic.cards(request))
    assert clinic.cards(request) == []
    changed = copy.deepcopy(request)
    changed["prefetch"]["conditions"] = call(conditions=[condition(CROHN)])["prefetch"]["conditions"]
    assert clinic.cards(changed) != []


def test_what_does_not_matter_may_change(clinic: Clinic) -> None:
    clinic.override(clinic.cards(low_dose()))
    assert clinic.cards(low_dose(note=[{"text": "call back on Friday"}], priority="urgent")) == []


def test_a_critical_card_is_always_shown(clinic: Clinic) -> None:
    request = call(order(TABLET_50, dosage(50), id="mr-1"), medications=[listed(TRAMADOL, since=3)])
    request["context"]["encounterId"] = "e1"
    first = clinic.cards(request)
    clinic.override(first)
    again = clinic.cards(request)
    assert {card["indicator"] for card in again} == {"critical"}
    assert [card["summary"] for card in again] == [card["summary"] for card in first if card["indicator"] == "critical"]


class Everything(OverrideMarks):
    """Holds everything to be overridden that has a mark at all."""

    def overridden(self, marks: Collection[str]) -> Collection[str]:
        return marks


def test_what_is_critical_has_no_mark_that_could_be_overridden(pack: Pack, clinic: Clinic) -> None:
    draft = order(TABLET_50, dosage(50), id="mr-1")
    request = call(draft, medications=[listed(TRAMADOL, since=3)])
    request["context"]["encounterId"] = "e1"
    marks = Everything(clinic.store, b"k", str)
    advisor = PackAdvisor(pack, ZONE, Wishes(overrides=marks), lambda: NOON)
    decision = advisor.decide(read_call(json.dumps(request).encode(), "order-sign"))
    assert {finding.severity.word for finding in decision.shown} == {"critical"}
    assert {card.indicator for card in decision.cards} == {"critical"}
    assert decision.overridden != ()
    assert decision.marks == ()


def test_a_check_that_could_not_be_made_is_always_told(clinic: Clinic) -> None:
    request = low_dose()
    for key in ("activeMedications", "recentMedications"):
        del request["prefetch"][key]
    clinic.override(clinic.cards(request))
    assert told(clinic.cards(request)) == {"incomplete-data"}


def test_an_override_expires(clinic: Clinic) -> None:
    clinic.override(clinic.cards(low_dose()))
    clinic.now = NOON + LASTS - timedelta(minutes=1)
    assert clinic.cards(low_dose()) == []
    clinic.now = NOON + LASTS
    assert clinic.cards(low_dose()) != []
    clinic.now = NOON + LASTS + timedelta(hours=1)
    assert clinic.store.write(lambda connection: forget_marks(connection, clinic.now)) > 0
    assert {row["expires"] for row in rows(clinic.store, override_marks)} == {NOON + LASTS + LASTS}


def test_an_override_is_that_of_the_client_that_saw_the_card(clinic: Clinic) -> None:
    shown = clinic.cards(low_dose())
    said = FeedbackItem(card=shown[0]["uuid"], outcome="overridden")
    FeedbackBook(clinic.store).keep([said], service="s", client="another-ehr", received_at=NOON)
    assert told(clinic.cards(low_dose())) == told(shown)
    FeedbackBook(clinic.store).keep([said], service="s", client="ehr", received_at=NOON)
    clinic.client_name = "another-ehr"
    assert told(clinic.cards(low_dose())) == told(shown)


def test_an_override_is_respected_by_every_process(pack: Pack, clinic: Clinic) -> None:
    clinic.override(clinic.cards(low_dose()))
    with store_at(clinic.store.url.render_as_string(hide_password=False)) as store:
        other, stranger = Clinic(pack, store), Clinic(pack, store, key=b"x" * 32)
        assert other.cards(low_dose()) == []
        assert stranger.cards(low_dose()) != []
        other.writer.stop()
        stranger.writer.stop()


class Away(Store):
    """A store that cannot be asked, or that hangs."""

    def __init__(self, store: Store, seconds: float) -> None:
        super().__init__(store.url)
        self.seconds = seconds

    def read(self, work: Callable[[Connection], Any]) -> Any:  # noqa: ANN401, ARG002 - as Store
        time.sleep(self.seconds)
        raise StoreUnavailable("away for a test")


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_store_that_does_not_answer_has_no_say(pack: Pack, clinic: Clinic, seconds: float) -> None:
    clinic.override(clinic.cards(low_dose()))
    spoilt = Clinic(pack, clinic.store, ask=Away(clinic.store, seconds), patience=0.2)
    assert spoilt.cards(low_dose()) != []
    assert spoilt.marks.unanswered == 1
    spoilt.writer.stop()


def test_the_store_is_asked_once_a_call_and_not_without_marks(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def nothing(_connection: Connection, marks: Collection[str], *_: object) -> frozenset[str]:
        asked.append(len(marks))
        return frozenset()

    monkeypatch.setattr(marks_module, "_overridden", nothing)
    clinic.cards(low_dose())
    assert len(asked) == 1
    assert asked[0] > 1
    clinic.cards(low_dose(""))
    assert len(asked) == 1


def test_a_mark_tells_nothing_of_the_patient(clinic: Clinic) -> None:
    clinic.cards(low_dose())
    kept = clinic.store.read(lambda connection: connection.execute(select(override_marks)).all())
    assert kept
    assert {len(row.mark) for row in kept} == {64}
    assert {type(value) for row in kept for value in row} == {str, datetime}
    assert {row.client for row in kept} == {"ehr"}


def test_overrides_are_respected_only_where_the_settings_say_so(tmp_path: Path) -> None:
    def memory(**more: str) -> Any:  # noqa: ANN401 - Memory
        return open_memory(read_settings(data_dir=tmp_path, database_url="", **more), Caller)

    assert memory().overrides is None
    found = memory(respect_overrides="true", override_hours="3")
    assert isinstance(found.overrides, OverrideMarks)
    assert found.recorder.override_lasts == timedelta(hours=3)
    assert found.overrides.key == found.recorder.key


def test_without_the_setting_no_mark_is_made_and_nothing_is_held_back(pack: Pack, tmp_path: Path) -> None:
    with opened("sqlite", tmp_path) as store:
        writer = DecisionWriter(store)
        advisor = PackAdvisor(pack, ZONE, Wishes(), lambda: NOON, record=Recorder(writer, b"k" * 32, Caller))
        client = create_app(Settings(), advisor, None, FeedbackBook(store)).test_client()
        for _ in range(2):
            cards = client.post(
                "/cds-services/naltrexone-order-sign", data=json.dumps(low_dose()), content_type="application/json"
            ).get_json()["cards"]
            assert "off-label-low-dose" in told(cards)
        writer.stop()
        assert rows(store, override_marks) == []
