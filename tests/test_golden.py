"""The kept answers are those of the service, and the sample patients are valid FHIR."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clinic import Json
from tests.golden import CALLS, golden_file, golden_text
from tests.sample_patients import PATIENTS, patient_text

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("path", CALLS, ids=lambda path: path.stem)
def test_the_kept_answer_is_what_the_service_says(path: Path, answer: Callable[[Json], Json]) -> None:
    request = json.loads(path.read_text(encoding="utf-8"))
    assert golden_text(answer(request)) == golden_file(path).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PATIENTS)
def test_a_sample_patient_is_the_one_that_the_script_writes(name: str) -> None:
    assert (ROOT / "fixtures/patients" / f"{name}.json").read_text(encoding="utf-8") == patient_text(name)


@pytest.mark.parametrize("name", PATIENTS)
def test_every_resource_of_a_sample_patient_is_valid_r4(name: str) -> None:
    for entry in json.loads(patient_text(name))["entry"]:
        resource = entry["resource"]
        module = importlib.import_module(f"fhir.resources.R4B.{resource['resourceType'].lower()}")
        assert getattr(module, resource["resourceType"]).model_validate(resource).id == resource["id"]
