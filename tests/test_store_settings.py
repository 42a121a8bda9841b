"""What the settings of the store show and hide."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service import settings as settings_module
from cds_service.cli.main import commands
from cds_service.errors import SettingsRefused
from cds_service.settings import default_data_dir, read_settings


@pytest.mark.parametrize("address", ["postgresql://u:hunter2@h/d", "sqlite:///hunter2", "postgres://h/d?password=hunter2", ""])
def test_an_address_is_taken_and_never_shown(address: str) -> None:
    assert read_settings(database_url=address).database_url.get_secret_value() == address
    shown = CliRunner().invoke(commands, ["settings"], env={"CDS_DATABASE_URL": address})
    assert (shown.exit_code, "hunter2" in shown.output, "hunter2" in repr(read_settings(database_url=address))) == (0, False, False)


@pytest.mark.parametrize("address", ["mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "hunter2"])
def test_an_address_that_is_refused_is_not_shown_either(address: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_settings(database_url=address)
    assert "CDS_DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_checkout_keeps_its_data_beside_the_program() -> None:
    assert default_data_dir() == Path(__file__).parent.parent / "var"


def test_an_installed_program_keeps_its_data_in_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(settings_module, "__file__", str(tmp_path / "cds_service" / "settings.py"))
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_data_dir() == Path("/home/x/.local/share/cds-service")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_data_dir() == Path("/data/cds-service")
