"""How long an import of an RxNorm release takes, how much memory, and how fast its index answers.

    python benchmarks/rxnorm_import.py [SHARE]

SHARE is the size of the generated release, 1 by default: about 1.2 M atoms, 7 M relations and 7 M attributes, as in a full release.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cds_service.cli.terminology import read_terminology
from cds_service.fhir.elements import Coding, Concept, Medication
from cds_service.terminology.rxnorm_import import import_release
from cds_service.terminology.site_files import SiteFiles
from cds_service.terminology.site_files import read_terminology as read_with_site
from tests.rxnorm_release import write_large

NDC = "http://hl7.org/fhir/sid/ndc"


def main(share: float) -> None:
    """Generate, import and ask, and print what that took."""
    with tempfile.TemporaryDirectory() as folder:
        release = write_large(Path(folder) / "rrf", share)
        size = sum(path.stat().st_size for path in release.iterdir())
        before = time.perf_counter()
        imported = import_release(release, Path(folder) / "index.sqlite", {7804, 7243}, lambda _: None)
        seconds = time.perf_counter() - before
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows = {one.name: one.rows for one in imported.files}
        print(f"release: {size / 1e6:.0f} MB, rows {rows}")
        print(f"import: {seconds:.1f} s, peak {peak:.0f} MB; {imported.products} concepts, {imported.packages} package codes")
        print(f"index: {(Path(folder) / 'index.sqlite').stat().st_size / 1e6:.0f} MB")
        measure_finds(Path(folder) / "index.sqlite")


def measure_finds(index: Path) -> None:
    """Print the time of one look-up, the first and the next."""
    rules = read_terminology(Path(__file__).parent.parent / "rules")
    drugs = read_with_site(rules, SiteFiles(index)).drugs
    first = [Medication(Concept((Coding(NDC, f"{number:05}000000"),))) for number in range(2000)]
    opioid = Medication(Concept((Coding(NDC, "99999000101"),)))
    for name, asked in (("first look at a package", first), ("the same again", first), ("an opioid, again", [opioid] * 2000)):
        before = time.thread_time()
        for medication in asked:
            drugs.find(medication)
        print(f"find, {name}: {(time.thread_time() - before) / len(asked) * 1e6:.1f} µs")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
