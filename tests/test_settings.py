"""Settings come from CDS_* variables, are frozen, and are refused where they contradict or endanger."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import SecretStr, ValidationError

from cds_service import settings as settings_module
from cds_service.cli.listening import check_network, check_port
from cds_service.cli.main import commands
from cds_service.cli.settings import settings_table
from cds_service.errors import SettingsRefused
from cds_service.settings import (
    Settings,
    default_pack_dir,
    is_loopback,
    read_settings,
    unknown_variables,
)

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("CDS_")]:
        monkeypatch.delenv(name)


def refusal(**given: object) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        read_settings(**given)
    return str(refused.value).splitlines()


def test_without_variables_the_defaults_are_in_force() -> None:
    settings = read_settings()
    assert settings.model_dump(exclude={"rules_dir", "cards_dir", "data_dir"}) == {
        "host": "127.0.0.1",
        "port": 8000,
        "unix_socket": None,
        "tls_certificate_file": None,
        "tls_key_file": None,
        "trusted_proxies": (),
        "user_header": "X-Forwarded-User",
        "serve_without_authentication": False,
        "clients_file": None,
        "token_leeway_seconds": 60,
        "key_set_seconds": 600,
        "replay_redis_url": SecretStr(""),
        "public_url": "",
        "terminology_file": None,
        "site_terminology_dir": None,
        "site": "",
        "time_zone": "UTC",
        "client_profile": "standard",
        "info_at_order_select": False,
        "hooks_version": "2.0.1",
        "cors_origins": ("https://sandbox.cds-hooks.org", "loopback"),
        "max_body_bytes": 16777216,
        "body_seconds": 10.0,
        "fhir_deadline": 1.5,
        "fhir_ca_file": None,
        "fhir_open_servers": False,
        "missing_data": "card",
        "workers": 1,
        "threads": 128,
        "reload_seconds": 2.0,
        "sentinel_seconds": 300.0,
        "log_level": "info",
        "database_url": SecretStr(""),
        "migrate_database": True,
        "record_users": True,
        "respect_overrides": False,
        "override_hours": 24,
        "keep_decisions_days": 0,
        "keep_comments_days": 90,
    }


def test_each_variable_sets_its_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "CDS_HOST": "::1",
        "CDS_PORT": "9000",
        "CDS_UNIX_SOCKET": str(tmp_path / "cds.sock"),
        "CDS_TLS_CERTIFICATE_FILE": __file__,
        "CDS_TLS_KEY_FILE": __file__,
        "CDS_TRUSTED_PROXIES": "127.0.0.1, fd00::/8,unix",
        "CDS_USER_HEADER": "X-Remote-User",
        "CDS_SERVE_WITHOUT_AUTHENTICATION": "true",
        "CDS_CLIENTS_FILE": __file__,
        "CDS_TOKEN_LEEWAY_SECONDS": "5",
        "CDS_KEY_SET_SECONDS": "86400",
        "CDS_REPLAY_REDIS_URL": "rediss://:secret@redis.example.org/0",
        "CDS_PUBLIC_URL": "https://cds.example.org/base/",
        "CDS_RULES_DIR": str(tmp_path),
        "CDS_CARDS_DIR": str(tmp_path),
        "CDS_TERMINOLOGY_FILE": __file__,
        "CDS_SITE_TERMINOLOGY_DIR": str(tmp_path),
        "CDS_SITE": "general-hospital",
        "CDS_TIME_ZONE": "Pacific/Chatham",
        "CDS_CLIENT_PROFILE": "epic",
        "CDS_INFO_AT_ORDER_SELECT": "1",
        "CDS_HOOKS_VERSION": "3.0.0-ballot",
        "CDS_CORS_ORIGINS": " https://a.example.org , http://[::1]:80,loopback,",
        "CDS_MAX_BODY_BYTES": "1024",
        "CDS_BODY_SECONDS": "2.5",
        "CDS_FHIR_DEADLINE": "0.25",
        "CDS_FHIR_CA_FILE": __file__,
        "CDS_FHIR_OPEN_SERVERS": "true",
        "CDS_MISSING_DATA": "412",
        "CDS_WORKERS": "2",
        "CDS_THREADS": "1",
        "CDS_RELOAD_SECONDS": "0",
        "CDS_SENTINEL_SECONDS": "60",
        "CDS_LOG_LEVEL": "error",
        "CDS_DATA_DIR": str(tmp_path / "data"),
        "CDS_DATABASE_URL": "postgresql://u:secret@db.example.org:5432/cds",
        "CDS_MIGRATE_DATABASE": "false",
        "CDS_RECORD_USERS": "false",
        "CDS_RESPECT_OVERRIDES": "true",
        "CDS_OVERRIDE_HOURS": "720",
        "CDS_KEEP_DECISIONS_DAYS": "36500",
        "CDS_KEEP_COMMENTS_DAYS": "1",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = read_settings()
    assert settings.model_dump() == {
        "host": "::1",
        "port": 9000,
        "unix_socket": tmp_path / "cds.sock",
        "tls_certificate_file": Path(__file__),
        "tls_key_file": Path(__file__),
        "trusted_proxies": ("127.0.0.1/32", "fd00::/8", "unix"),
        "user_header": "X-Remote-User",
        "serve_without_authentication": True,
        "clients_file": Path(__file__),
        "token_leeway_seconds": 5,
        "key_set_seconds": 86400,
        "replay_redis_url": SecretStr("rediss://:secret@redis.example.org/0"),
        "public_url": "https://cds.example.org/base",
        "rules_dir": tmp_path,
        "cards_dir": tmp_path,
        "terminology_file": Path(__file__),
        "site_terminology_dir": tmp_path,
        "site": "general-hospital",
        "time_zone": "Pacific/Chatham",
        "client_profile": "epic",
        "info_at_order_select": True,
        "hooks_version": "3.0.0-ballot",
        "cors_origins": ("https://a.example.org", "http://[::1]:80", "loopback"),
        "max_body_bytes": 1024,
        "body_seconds": 2.5,
        "fhir_deadline": 0.25,
        "fhir_ca_file": Path(__file__),
        "fhir_open_servers": True,
        "missing_data": "412",
        "workers": 2,
        "threads": 1,
        "reload_seconds": 0.0,
        "sentinel_seconds": 60.0,
        "log_level": "error",
        "data_dir": tmp_path / "data",
        "database_url": SecretStr("postgresql://u:secret@db.example.org:5432/cds"),
        "migrate_database": False,
        "record_users": False,
        "respect_overrides": True,
        "override_hours": 720,
        "keep_decisions_days": 36500,
        "keep_comments_days": 1,
    }
    assert str(settings.zone) == "Pacific/Chatham"
    assert set(given) == {f"CDS_{name.upper()}" for name in Settings.model_fields}


def test_the_command_line_stands_above_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_PORT", "9000")
    assert read_settings(port="9001").port == 9001


def test_settings_cannot_be_changed_later() -> None:
    with pytest.raises(ValidationError):
        read_settings().port = 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        ("port", "0"),
        ("port", "65536"),
        ("port", "abc"),
        ("serve_without_authentication", "perhaps"),
        ("public_url", "cds.example.org"),
        ("public_url", "https://"),
        ("public_url", "ftp://cds.example.org"),
        ("public_url", "https://user@cds.example.org"),
        ("public_url", "https://cds.example.org/?a=1"),
        ("public_url", "https://cds.example.org/a b"),
        ("rules_dir", "/nowhere/at/all"),
        ("cards_dir", "/nowhere/at/all"),
        ("site", "../other"),
        ("site", "Site"),
        ("site", "-site"),
        ("site", "site.yaml"),
        ("time_zone", "Mars/Olympus"),
        ("time_zone", "../../etc/passwd"),
        ("time_zone", ""),
        ("client_profile", "Epic"),
        ("info_at_order_select", ""),
        ("hooks_version", "2"),
        ("hooks_version", "2.0.1\n"),
        ("cors_origins", "*"),
        ("cors_origins", "null"),
        ("cors_origins", "https://a.example.org/"),
        ("cors_origins", "https://a.example.org/path"),
        ("cors_origins", "https://A.example.org"),
        ("cors_origins", "https://*.example.org"),
        ("cors_origins", "a.example.org"),
        ("cors_origins", "loopback,*"),
        ("unix_socket", "/nowhere/at/all/cds.sock"),
        ("tls_certificate_file", "/nowhere/at/all.pem"),
        ("tls_key_file", "/nowhere"),
        ("trusted_proxies", "proxy.example.org"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "*"),
        ("user_header", "X Remote"),
        ("user_header", "X_Remote"),
        ("user_header", ""),
        ("body_seconds", "0.9"),
        ("body_seconds", "121"),
        ("max_body_bytes", "1023"),
        ("max_body_bytes", "1073741825"),
        ("workers", "0"),
        ("workers", "65"),
        ("threads", "0"),
        ("threads", "1025"),
        ("reload_seconds", "-1"),
        ("sentinel_seconds", "86401"),
        ("log_level", "loud"),
        ("database_url", "mysql://u@h/d"),
        ("database_url", "postgresql+asyncpg://u@h/d"),
        ("database_url", "postgresql://h"),
        ("database_url", "postgresql://h:port/d"),
        ("database_url", "postgresql://h:70000/d"),
        ("database_url", "sqlite://"),
        ("database_url", "var/store.sqlite3"),
        ("keep_decisions_days", "-1"),
        ("keep_comments_days", "36501"),
    ],
)
def test_a_wrong_value_is_refused_with_variable_found_and_allowed(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"CDS_{name.upper()}", value)
    [line] = refusal()
    extra = Settings.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    assert line.startswith(f"SET-001 CDS_{name.upper()}: found ")
    assert line.partition("; did you mean")[0].endswith(f"; expected {extra['allowed']}")


@pytest.mark.parametrize(("name", "value"), [("port", 1), ("port", 65535), ("workers", 64), ("threads", 1024), ("max_body_bytes", 1024**3)])
def test_the_ends_of_each_range_are_allowed(name: str, value: int) -> None:
    assert read_settings(**{name: value}).model_dump()[name] == value


def test_all_mistakes_are_told_at_once_and_in_order() -> None:
    assert refusal(port="x", host="", site="../x") == [
        "SET-001 CDS_HOST: found ''; expected a host name or IP address",
        "SET-001 CDS_PORT: found 'x'; expected a whole number from 1 to 65535",
        "SET-001 CDS_SITE: found '../x'; expected empty, or lower-case letters, digits and hyphens",
    ]


def test_a_setting_that_is_none_is_refused_by_name() -> None:
    assert refusal(colour="red") == ["SET-001 CDS_COLOUR: found 'red'; expected a setting of docs/settings.md"]


def test_a_misspelt_time_zone_is_told_its_nearest() -> None:
    [line] = refusal(time_zone="Europe/Berln")
    assert line.endswith("; did you mean 'Europe/Berlin'?")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("localhost.example.org", False), ("ehr", False),  # noqa: S104 - refused
    ],
)  # fmt: skip
def test_the_network_is_refused_unless_the_risk_is_named(host: str, local: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert is_loopback(host) is local
    check_network(read_settings(host=host, serve_without_authentication=True))
    if local:
        check_network(read_settings(host=host))
    else:
        with pytest.raises(SettingsRefused, match=r"SET-002 CDS_HOST: found .*CDS_SERVE_WITHOUT_AUTHENTICATION=true"):
            check_network(read_settings(host=host))


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_is_taken_is_refused(taken_port: int) -> None:
    with pytest.raises(SettingsRefused, match=f"SET-004 CDS_PORT: found 127.0.0.1 port {taken_port}, .*expected a free port"):
        check_port(read_settings(port=taken_port))


def test_a_free_port_is_let_go_again(taken_port: int) -> None:
    free = taken_port + 1 if taken_port < 65535 else taken_port - 1
    check_port(read_settings(port=free))
    check_port(read_settings(port=free))


def test_misspelt_variables_are_warned_of_with_their_nearest() -> None:
    environment = {"CDS_POTR": "1", "CDS_PORT": "1", "cds_host": "x", "OTHER": "1", "CDS_ZZZZZZZZZ": ""}
    assert unknown_variables(environment) == (
        "SET-003 CDS_POTR is no setting and has no effect; did you mean 'CDS_PORT'?",
        "SET-003 CDS_ZZZZZZZZZ is no setting and has no effect",
    )


def test_a_checkout_uses_its_own_folders() -> None:
    assert default_pack_dir("rules") == Path(__file__).parent.parent / "rules"


def test_an_installed_package_uses_the_copies_inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "cds_service"
    (tmp_path / "rules").mkdir()
    monkeypatch.setattr(settings_module, "__file__", str(package / "settings.py"))
    assert default_pack_dir("rules") == package / "_pack" / "rules"
    assert default_pack_dir("cards") == package / "_pack" / "cards"


def test_the_table_in_the_docs_is_the_one_of_the_program() -> None:
    assert settings_table() in (DOCS / "settings.md").read_text(encoding="utf-8"), "run: make docs"


def test_the_command_prints_the_table_and_what_is_in_force() -> None:
    assert CliRunner().invoke(commands, ["settings", "--markdown"]).output == settings_table()
    printed = CliRunner().invoke(commands, ["settings"], env={"CDS_PORT": "9000"}).output.splitlines()
    assert "CDS_PORT=9000" in printed
    assert "CDS_CORS_ORIGINS=https://sandbox.cds-hooks.org,loopback" in printed
