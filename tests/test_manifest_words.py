"""A manifest that names what is not there is refused with the place and the nearest word."""

import shutil
from pathlib import Path

import pytest

from cds_service.errors import RulebookInvalid
from cds_service.pack import read_pack

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("written", "instead", "told"),
    [
        ("  long-term-opioid-use:", "  long-term-opiod-use:", "no value set 'long-term-opiod-use'; did you mean 'long-term-opioid-use'?"),
        ("hook: order-sign", "hook: order-sing", "order-sign"),
        ("  naltrexone: 28 d", "  naltrexone: 28 x", "28 x"),
        ("indications: [fibromyalgia,", "indications: [fibromialgia,", "did you mean 'fibromyalgia'?"),
        ("    hook: order-select\n", "", "hook"),
    ],
)
def test_a_manifest_that_names_what_is_not_there_is_refused(written: str, instead: str, told: str, tmp_path: Path) -> None:
    rules = Path(shutil.copytree(ROOT / "rules", tmp_path / "rules"))
    text = (rules / "manifest.yaml").read_text(encoding="utf-8")
    assert written in text
    (rules / "manifest.yaml").write_text(text.replace(written, instead), encoding="utf-8")
    with pytest.raises(RulebookInvalid) as refused:
        read_pack(rules, ROOT / "cards")
    assert told in str(refused.value)
    assert "manifest.yaml:" in str(refused.value)
