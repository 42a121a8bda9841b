"""Floor 7: the named samples of the page "Try it", read once from the file that travels with the program."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cds_service.located import as_plain, read_yaml
from cds_service.web.workbench.order_form import OrderForm, written_form


@dataclass(frozen=True, slots=True)
class Sample:
    """A patient and an order that a pharmacist recognises; `story` says in a sentence what to look for."""

    id: str
    title: str
    story: str
    form: OrderForm


@dataclass(frozen=True, slots=True)
class SampleGroup:
    """Samples about one subject."""

    title: str
    samples: tuple[Sample, ...]


def samples_file() -> Path:
    """Return the file of a checkout where the program runs from one, else the copy that travels inside the package."""
    package = Path(__file__).parents[2]
    checkout = package.parent
    return checkout / "fixtures/samples.yaml" if (checkout / "pyproject.toml").is_file() else package / "_pack/samples.yaml"


def read_samples(path: Path) -> tuple[SampleGroup, ...]:
    """Read the samples; raises RulebookInvalid where the file is no YAML of the plain kind."""
    groups = as_plain(read_yaml(path.read_text(encoding="utf-8"), path.name))
    return tuple(
        SampleGroup(group["title"], tuple(Sample(one["id"], one["title"], one["story"], written_form(one)) for one in group["samples"]))
        for group in groups
    )


def find_sample(groups: Sequence[SampleGroup], name: str) -> Sample | None:
    """Find a sample by its id."""
    return next((sample for group in groups for sample in group.samples if sample.id == name), None)


def following(groups: Sequence[SampleGroup], sample: Sample) -> Sample:
    """Return the sample after one, the first after the last."""
    every = [one for group in groups for one in group.samples]
    return every[(every.index(sample) + 1) % len(every)]
