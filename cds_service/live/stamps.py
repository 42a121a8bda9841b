"""The stamps of files on disk: whether the rules have changed, without reading them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from cds_service.settings import Settings

Stamps = Mapping[str, tuple[int, int, int]]
"""For each file the time of its last change, its size and its number in the file system."""


def stamps_of(places: Iterable[Path]) -> Stamps:
    """Return the stamps of the files of all places; a file that goes meanwhile is left out, as the next look will find."""
    found: dict[str, tuple[int, int, int]] = {}
    for place in places:
        for path in [place] if place.is_file() else place.rglob("*"):
            try:
                state = path.stat()
            except OSError:
                continue
            if path.is_file():
                found[str(path)] = (state.st_mtime_ns, state.st_size, state.st_ino)
    return found


def pack_places(settings: Settings) -> tuple[Path, ...]:
    """Return the folders and files from which the packs of the settings are read."""
    places = (settings.rules_dir, settings.cards_dir, settings.terminology_file, settings.site_terminology_dir)
    return tuple(place for place in places if place is not None)
