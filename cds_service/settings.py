"""Floor 7: the settings, read once from `CDS_*` variables, frozen, and refused where they contradict or endanger."""

import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import Field, JsonValue, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.errors import SettingsRefused, nearest

PREFIX: Final = "CDS_"
UNIX: Final = "unix"
"""The word in `CDS_TRUSTED_PROXIES` that stands for whoever may open `CDS_UNIX_SOCKET`."""
LOOPBACK: Final = "loopback"
"""The word in `CDS_CORS_ORIGINS` that stands for every page served from this machine."""
_ORIGIN: Final = re.compile(r"https?://([a-z0-9.\-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
_PUBLIC_URL: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")
_REDIS: Final = re.compile(r"(rediss?|unix)://[!-~]+")
_DATABASE: Final = re.compile(r"(postgres(ql)?(\+psycopg)?://[^\s/?#]*/[^\s/?#]+(\?\S*)?)|(sqlite:///[^\s?#]+)")
_HEADER: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_SITE: Final = re.compile(r"[a-z0-9][a-z0-9-]*")


def default_pack_dir(name: Literal["rules", "cards"]) -> Path:
    """Return the folder of a checkout where the program runs from one, else the copy that travels inside the package."""
    package = Path(__file__).parent
    checkout = package.parent
    return checkout / name if (checkout / "pyproject.toml").is_file() else package / "_pack" / name


def default_data_dir() -> Path:
    """Return `var/` of the checkout where the program runs from one, else the user's own folder for data."""
    checkout = Path(__file__).parent.parent
    if (checkout / "pyproject.toml").is_file():
        return checkout / "var"
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111 - Path.home() fails where there is none
    return Path(base) / "cds-service"


def _setting(about: str, allowed: str, *, default: Any = None, **declared: Any) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Declare one setting: what it does and which values it takes, for the table in the docs and for error messages."""
    return Field(default, description=about, json_schema_extra={"allowed": allowed}, **declared)


def _folder(name: Literal["rules", "cards"], holds: str) -> Any:  # noqa: ANN401 - as pydantic's Field
    """Declare a folder that travels inside the package."""
    shown: dict[str, JsonValue] = {"allowed": "a folder that exists", "default": f"`{name}/` of the checkout, else the packaged copy"}
    return Field(default_factory=lambda: default_pack_dir(name), description=f"Folder with {holds}", json_schema_extra=shown)


class Settings(BaseSettings):
    """All settings of the service; a variable that is not set keeps its default."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=False)

    host: str = _setting(
        "Address to listen on; other than loopback only with `CDS_CLIENTS_FILE` or `CDS_SERVE_WITHOUT_AUTHENTICATION`",
        "a host name or IP address",
        default="127.0.0.1",
        min_length=1,
    )
    port: int = _setting("Port to listen on", "a whole number from 1 to 65535", default=8000, ge=1, le=65535)
    unix_socket: Path | None = _setting(
        "Unix socket to listen on in place of address and port; its file is open to the service's user and group",
        "empty, or a path in a folder that exists",
    )
    tls_certificate_file: Path | None = _setting(
        "Certificate, with its chain, to serve https with; needs `CDS_TLS_KEY_FILE`", "empty, or a PEM file that exists"
    )
    tls_key_file: Path | None = _setting("Key of the certificate, PKCS #8 without password", "empty, or a PEM file that exists")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = _setting(
        "Whose `X-Forwarded-*` and `CDS_USER_HEADER` are believed; from anybody else they are removed",
        "IP addresses and networks (`10.0.0.0/8`), and `unix` for `CDS_UNIX_SOCKET`, with commas between them; empty for nobody",
        default=(),
    )
    user_header: str = _setting(
        "Header in which a trusted proxy names the user it has signed in, for the workbench",
        "a header name",
        default="X-Forwarded-User",
    )
    serve_without_authentication: bool = _setting(
        "Listen to the network although anybody who reaches the port gets answers", "`true` or `false`", default=False
    )
    clients_file: Path | None = _setting(
        "Registry of the clients that may call ([clients](clients.md)); without one nothing checks who calls",
        "empty, or a file that exists",
    )
    token_leeway_seconds: int = _setting(
        "How far the clocks of client and service may differ", "a whole number from 5 to 120", default=60, ge=5, le=120
    )
    key_set_seconds: int = _setting(
        "How long a client's key set is not read again", "a whole number from 10 to 86400", default=600, ge=10, le=86400
    )
    replay_redis_url: SecretStr = _setting(
        "Redis that remembers which tokens were used, for services on several machines",
        "empty for the database, or an address that begins with redis://, rediss:// or unix://",
        default=SecretStr(""),
    )
    public_url: str = _setting(
        "Address under which clients reach the service; needed with `CDS_CLIENTS_FILE`, because tokens name it",
        "empty, or an absolute http(s) address without query",
        default="",
    )
    rules_dir: Path = _folder("rules", "rules, value sets and drug tables")
    cards_dir: Path = _folder("cards", "the card texts")
    terminology_file: Path | None = _setting(
        "Index that `cds-service terminology import` made of the site's RxNorm release ([terminology](terminology.md))",
        "empty, or a file that exists",
    )
    site_terminology_dir: Path | None = _setting(
        "Folder with the site's own drug codes (`drugs.csv`) and value sets ([terminology](terminology.md))",
        "empty, or a folder that exists",
    )
    site: str = _setting(
        "Site whose overrides (`rules/sites/<site>.yaml`) are in force", "empty, or lower-case letters, digits and hyphens", default=""
    )
    time_zone: str = _setting("Time zone in which the site's days begin and end", "a name of the IANA time zone database", default="UTC")
    client_profile: Literal["standard", "epic", "sandbox"] = _setting(
        "What the EHR can take: cards and suggestions are cut to it", "`standard`, `epic` or `sandbox`", default="standard"
    )
    info_at_order_select: bool = _setting(
        "Show `info` findings at order-select too, not at order-sign alone", "`true` or `false`", default=False
    )
    hooks_version: str = _setting(
        "Version of the CDS Hooks specification that discovery advertises",
        "three numbers with dots",
        default="2.0.1",
        pattern=r"^[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(-[a-z0-9.]{1,20})?$",
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = _setting(
        "Web pages whose scripts may call the service; `loopback` stands for every page served from this machine",
        "origins (`https://ehr.example.org`) and `loopback`, with commas between them; empty for none",
        default=("https://sandbox.cds-hooks.org", LOOPBACK),
    )
    max_body_bytes: int = _setting(
        "Largest request body", "a whole number from 1024 to 1073741824", default=16 * 1024 * 1024, ge=1024, le=1024**3
    )
    body_seconds: float = _setting(
        "Seconds within which the whole body of a request must come; then it gets status 408",
        "a number from 1 to 120",
        default=10.0,
        ge=1,
        le=120,
    )
    fhir_deadline: float = _setting(
        "Seconds that all FHIR reads of one call may take together", "a number from 0.1 to 2", default=1.5, ge=0.1, le=2
    )
    fhir_ca_file: Path | None = _setting(
        "Certificates of the authorities that vouch for FHIR servers, instead of the system's", "empty, or a PEM file that exists"
    )
    fhir_open_servers: bool = _setting(
        "Read from listed FHIR servers also for calls without access token; on this machine that is always so",
        "`true` or `false`",
        default=False,
    )
    missing_data: Literal["card", "412"] = _setting(
        "What a call gets whose required data could not be had: the card that says what was not checked, or status 412",
        "`card` or `412`",
        default="card",
    )
    workers: int = _setting("Processes that answer calls", "a whole number from 1 to 64", default=1, ge=1, le=64)
    threads: int = _setting(
        "Requests that each process answers at a time; one whose body is still on its way holds none",
        "a whole number from 1 to 1024",
        default=128,
        ge=1,
        le=1024,
    )
    reload_seconds: float = _setting(
        "How often changed files of rules, cards and terminology are looked for and taken over; 0 leaves them until a restart",
        "a number from 0 to 3600",
        default=2.0,
        ge=0,
        le=3600,
    )
    sentinel_seconds: float = _setting(
        "How often the sentinels run ([operations](operations.md)); 0 for the start and each change of rules alone",
        "a number from 0 to 86400",
        default=300.0,
        ge=0,
        le=86400,
    )
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "Least important lines that are written; each call is an `info` line", "`debug`, `info`, `warning` or `error`", default="info"
    )

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder for what the service writes: the SQLite file and the key of its digests; made where it is missing",
        json_schema_extra={"allowed": "a path", "default": "`var/` of the checkout, else `~/.local/share/cds-service`"},
    )
    database_url: SecretStr = _setting(
        "Database of decisions and feedback ([store](store.md)); a SQLite file in `CDS_DATA_DIR` where it is empty",
        "empty, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE` or `sqlite:///FILE`",
        default=SecretStr(""),
    )
    migrate_database: bool = _setting(
        "Bring the tables up to date at the start; else by `cds-service store migrate`", "`true` or `false`", default=True
    )
    record_users: bool = _setting(
        "Keep with each decision which clinician asked (`Practitioner/…`), for the feedback export", "`true` or `false`", default=True
    )
    respect_overrides: bool = _setting(
        "Do not repeat what a clinician has overridden, for the same order in the same encounter ([store](store.md)); critical cards are always shown",
        "`true` or `false`",
        default=False,
    )
    override_hours: int = _setting(
        "Hours for which an override is respected, from the time at which the card was shown",
        "a whole number from 1 to 720",
        default=24,
        ge=1,
        le=720,
    )
    keep_decisions_days: int = _setting(
        "Days after which `cds-service store prune` deletes decisions and feedback; 0 keeps them for ever",
        "a whole number from 0 to 36500",
        default=0,
        ge=0,
        le=36500,
    )
    keep_comments_days: int = _setting(
        "Days after which `cds-service store prune` deletes what clinicians typed; 0 keeps it for ever",
        "a whole number from 0 to 36500",
        default=90,
        ge=0,
        le=36500,
    )

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Take a comma list as a variable holds it, or a tuple as a test passes it."""
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse `*`, `null`, paths and trailing slashes: browsers compare origins letter by letter."""
        if any(origin != LOOPBACK and not _ORIGIN.fullmatch(origin) for origin in value):
            raise ValueError("not an origin")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse names, and networks with bits set behind their length: what is meant would be a guess."""
        return tuple(one if one == UNIX else str(ipaddress.ip_network(one)) for one in value)

    @field_validator("user_header")
    @classmethod
    def _is_header(cls, value: str) -> str:
        """Refuse what is no header name."""
        if not _HEADER.fullmatch(value):
            raise ValueError("not a header name")
        return value

    @field_validator("unix_socket", mode="before")
    @classmethod
    def _is_path_or_empty(cls, value: object) -> object:
        """Read an empty variable as no socket, and refuse one in a folder that is not there."""
        if value is None or value == "":
            return None
        if not isinstance(value, str | Path) or not Path(value).parent.is_dir():
            raise ValueError("no folder")
        return value

    @field_validator("rules_dir", "cards_dir")
    @classmethod
    def _is_folder(cls, value: Path) -> Path:
        """Refuse a folder that is not there: starting without rules would be silence."""
        if not value.is_dir():
            raise ValueError("no folder")
        return value

    @field_validator("clients_file", "fhir_ca_file", "terminology_file", "tls_certificate_file", "tls_key_file", mode="before")
    @classmethod
    def _is_file_or_empty(cls, value: object) -> object:
        """Read an empty variable as no registry, and refuse a file that is not there: everybody would be let in, or nobody."""
        if value is None or value == "":
            return None
        if not isinstance(value, str | Path) or not Path(value).is_file():
            raise ValueError("no file")
        return value

    @field_validator("site_terminology_dir", mode="before")
    @classmethod
    def _is_folder_or_empty(cls, value: object) -> object:
        """Read an empty variable as no folder, and refuse one that is not there: its codes would be silently unknown."""
        if value is None or value == "":
            return None
        if not isinstance(value, str | Path) or not Path(value).is_dir():
            raise ValueError("no folder")
        return value

    @field_validator("replay_redis_url")
    @classmethod
    def _is_redis(cls, value: SecretStr) -> SecretStr:
        """Refuse what is no address of Redis."""
        if value.get_secret_value() and not _REDIS.fullmatch(value.get_secret_value()):
            raise ValueError("not an address of Redis")
        return value

    @field_validator("site")
    @classmethod
    def _is_site(cls, value: str) -> str:
        """Keep the site to a plain file name."""
        if value and not _SITE.fullmatch(value):
            raise ValueError("not a site")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_address(cls, value: str) -> str:
        """Keep the address without the slash at its end, so that paths can be joined to it."""
        if value and not _PUBLIC_URL.fullmatch(value):
            raise ValueError("not an address")
        return value.rstrip("/")

    @field_validator("time_zone")
    @classmethod
    def _is_zone(cls, value: str) -> str:
        """Refuse a zone that the time zone database does not hold."""
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not a time zone" + nearest(value, available_timezones())) from None
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: SecretStr) -> SecretStr:
        """Refuse another kind of database, and a port that is none."""
        address = value.get_secret_value()
        if address and not (_DATABASE.fullmatch(address) and urlsplit(address).port != 0):
            raise ValueError("not a database")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.time_zone)


def read_settings(**given: Any) -> Settings:  # noqa: ANN401 - values of any setting
    """Read the environment, with values that were given on the command line on top; raises SettingsRefused with all mistakes."""
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsRefused("\n".join(sorted(_mistake(one["loc"], one["input"], one["msg"]) for one in error.errors()))) from None


def is_loopback(host: str) -> bool:
    """Tell whether only programs on this machine can reach a host address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def unknown_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each `CDS_*` variable that is no setting: a misspelt one would be without effect."""
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    strange = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    return tuple(f"SET-003 {name} is no setting and has no effect{nearest(name.upper(), known)}" for name in strange)


def _mistake(place: Iterable[int | str], found: object, reason: str) -> str:
    """Say which variable holds what, and what it may hold."""
    name = next((str(part) for part in place), "")
    allowed = declared(Settings.model_fields[name])["allowed"] if name in Settings.model_fields else "a setting of docs/settings.md"
    hint = reason[reason.index(";") :] if "; did you mean" in reason else ""
    is_secret = name in Settings.model_fields and Settings.model_fields[name].annotation is SecretStr
    return f"SET-001 {PREFIX}{name.upper()}: found {'another value' if is_secret else repr(found)}; expected {allowed}{hint}"


def declared(field: FieldInfo) -> Mapping[str, Any]:
    """Return what a setting declares beside its type."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
