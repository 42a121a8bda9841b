"""clients.toml: what stands in it, and what is said of each mistake, all of them at once."""

import ssl
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pytest_httpserver import HTTPServer

from cds_service.advisor import first_spoken
from cds_service.app import advisor_for
from cds_service.cli.listening import check_network
from cds_service.cli.main import commands, main
from cds_service.clients.registry import Client, ClientsRefused, read_registry, registry_of
from cds_service.errors import RulebookInvalid, SettingsRefused
from cds_service.settings import Settings, read_settings
from tests.clients_floor import BASE, jwk, key_set, registry_file
from tests.test_listening import certificate

ROOT = Path(__file__).parent.parent
FULL = """
[[client]]
name = "General Hospital"
issuer = "https://ehr.example.org"
jwks_url = "https://ehr.example.org/jwks.json"
algorithms = ["ES384", "PS256"]
audiences = ["sand_man"]
fhir_servers = ["https://fhir.example.org/r4/", "http://127.0.0.1:8080/fhir"]
profile = "epic"
site = "north"
language = "es-MX"
cors_origins = ["https://EHR.example.org", "http://localhost:3000"]

[[client]]
name = "Clinic"
issuer = "clinic"
jwks_file = "keys.json"
"""
LEAST = '[[client]]\nname = "ehr"\nissuer = "https://ehr.example.org"\njwks_url = "https://ehr.example.org/jwks"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "keys.json").write_bytes(key_set())
    return tmp_path / "clients.toml"


def mistakes(file: Path, text: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ClientsRefused) as refused:
        read_registry(file)
    return [line.removeprefix(f"{file} ") for line in str(refused.value).splitlines()]


def test_a_registry_with_everything_in_it_is_read(file: Path) -> None:
    file.write_text(FULL)
    registry = read_registry(file)
    assert registry.clients == (
        Client(
            "General Hospital",
            "https://ehr.example.org",
            "https://ehr.example.org/jwks.json",
            None,
            ("ES384", "PS256"),
            ("sand_man",),
            ("https://fhir.example.org/r4", "http://127.0.0.1:8080/fhir"),
            "epic",
            "north",
            "es-MX",
            ("https://ehr.example.org", "http://localhost:3000"),
        ),
        Client("Clinic", "clinic", jwks_file=file.parent / "keys.json"),
    )
    assert registry.clients[1].algorithms == ("ES384", "RS384")
    assert (registry.sites(), registry.origins()) == (("north",), ("https://ehr.example.org", "http://localhost:3000"))


def test_all_mistakes_are_told_at_once_with_client_and_nearest_match(file: Path) -> None:
    text = FULL.replace("jwks_url", "jwks_ulr").replace('"epic"', '"epik"').replace('name = "Clinic"\n', "") + "[other]\n"
    assert mistakes(file, text) == [
        "top level: CLIENT-002 no key 'other'",
        "[[client]] 1 'General Hospital': CLIENT-002 no key 'jwks_ulr'; did you mean 'jwks_url'?",
        "[[client]] 1 'General Hospital': CLIENT-014 'profile': found 'epik'; expected standard, epic, sandbox; did you mean 'epic'?",
        "[[client]] 1 'General Hospital': CLIENT-006 keys: found neither; expected one of 'jwks_url' and 'jwks_file'",
        "[[client]] 2: CLIENT-004 'name' is missing; expected a name of at most 512 printable characters",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "top level: CLIENT-003 no [[client]] table: nobody could call"),
        ("client = []", "top level: CLIENT-003 no [[client]] table"),
        ("clients = []", "top level: CLIENT-002 no key 'clients'; did you mean 'client'?"),
        ("client = 1", "[[client]] 1: CLIENT-002 no table"),
        ("client = [1]", "[[client]] 1: CLIENT-002 no table"),
        ("[[client]\n", None),
        (
            LEAST + LEAST.replace("ehr.example.org/", "x/").replace('"ehr"', '"b"'),
            "every [[client]]: CLIENT-005 'issuer' 'https://ehr.example.org' stands 2 times; expected each once, or 'tenants' in each",
        ),
        (LEAST + LEAST.replace('"https://ehr.example.org"', '"b"'), "every [[client]]: CLIENT-005 'name' 'ehr' stands 2 times"),
        (LEAST + 'jwks_file = "keys.json"', "[[client]] 1 'ehr': CLIENT-006 keys: found both"),
    ],
)
def test_a_registry_that_cannot_stand_is_refused(file: Path, text: str, said: str | None) -> None:
    found = mistakes(file, text)
    assert found[0].startswith(said) if said else "CLIENT-001" in found[0]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("name", '""', "CLIENT-010"),
        ("name", '" x"', "CLIENT-010"),
        ("name", '"a\\nb"', "CLIENT-010"),
        ("name", "1", "CLIENT-010"),
        ("name", f'"{"x" * 513}"', "CLIENT-010"),
        ("issuer", "true", "CLIENT-010"),
        ("issuer", '"a\\u202eb"', "CLIENT-010"),
        ("jwks_url", '"http://ehr.example.org/jwks"', "CLIENT-011"),
        ("jwks_url", '"http://127.0.0.1.example.org/jwks"', "CLIENT-011"),
        ("jwks_url", '"http://localhost.example.org/jwks"', "CLIENT-011"),
        ("jwks_url", '"http://localhost@example.org/jwks"', "CLIENT-011"),
        ("jwks_url", '"https://user:x@example.org/jwks"', "CLIENT-011"),
        ("jwks_url", '"file:///etc/passwd"', "CLIENT-011"),
        ("jwks_url", '"data:application/json,{}"', "CLIENT-011"),
        ("jwks_url", '"https://"', "CLIENT-011"),
        ("jwks_url", '"https:///jwks"', "CLIENT-011"),
        ("jwks_url", '"https://example.org:99999/jwks"', "CLIENT-011"),
        ("jwks_url", '"https://example.org:0/jwks"', "CLIENT-011"),
        ("jwks_url", '"https://[::1"', "CLIENT-011"),
        ("jwks_url", '"https://example.org/a/../jwks"', "CLIENT-011"),
        ("jwks_url", '"https://exa mple.org/"', "CLIENT-011"),
        ("jwks_url", '"https://ex\\u00e4mple.org/"', "CLIENT-011"),
        ("jwks_url", '"https://example.org/?a=b"', "CLIENT-011"),
        ("jwks_url", '"https://example.org/#a"', "CLIENT-011"),
        ("jwks_url", '"https://example.org\\\\x"', "CLIENT-011"),
        ("jwks_url", f'"https://example.org/{"x" * 512}"', "CLIENT-011"),
        ("jwks_url", "[]", "CLIENT-011"),
        ("jwks_file", '"absent.json"', "CLIENT-012"),
        ("jwks_file", '""', "CLIENT-012"),
        ("jwks_file", '"."', "CLIENT-012"),
        ("jwks_file", "1", "CLIENT-012"),
        ("algorithms", "[]", "CLIENT-013"),
        ("algorithms", '"ES384"', "CLIENT-013"),
        ("algorithms", '["HS256"]', "CLIENT-013"),
        ("algorithms", '["ES384", "none"]', "CLIENT-013"),
        ("algorithms", "[[]]", "CLIENT-013"),
        ("audiences", "[]", "CLIENT-010"),
        ("audiences", '[""]', "CLIENT-010"),
        ("audiences", '"x"', "CLIENT-010"),
        ("fhir_servers", '["http://fhir.example.org"]', "CLIENT-011"),
        ("fhir_servers", '"https://fhir.example.org"', "CLIENT-011"),
        ("fhir_servers", "[1]", "CLIENT-011"),
        ("profile", '"Epic"', "CLIENT-014"),
        ("profile", "[]", "CLIENT-014"),
        ("site", '"../north"', "CLIENT-014"),
        ("site", '""', "CLIENT-014"),
        ("language", '"english"', "CLIENT-014"),
        ("language", "1", "CLIENT-014"),
        ("cors_origins", '["*"]', "CLIENT-011"),
        ("cors_origins", '["null"]', "CLIENT-011"),
        ("cors_origins", '["https://ehr.example.org/"]', "CLIENT-011"),
        ("cors_origins", '["http://ehr.example.org"]', "CLIENT-011"),
        ("cors_origins", '["https://*.example.org"]', "CLIENT-011"),
        ("cors_origins", "[1]", "CLIENT-011"),
    ],
)
def test_a_member_that_cannot_be_read_is_named_with_what_is_allowed(file: Path, key: str, value: str, code: str) -> None:
    members = {"name": '"ehr"', "issuer": '"https://ehr.example.org"', "jwks_file": '"keys.json"'} | {key: value}
    if key == "jwks_url":
        del members["jwks_file"]
    found = mistakes(file, "[[client]]\n" + "\n".join(f"{name} = {given}" for name, given in members.items()))
    assert (len(found), f"{code} '{key}': found" in found[0], "; expected" in found[0]) == (1, True, True)
    assert len(found[0]) < 400


@pytest.mark.parametrize(
    "address", ["https://a.example.org", "http://localhost:1/x", "http://127.0.0.2/x", "http://[::1]:80/x", "https://10.0.0.1:8443/a/b"]
)
def test_https_anywhere_and_plain_http_on_this_machine_are_taken(file: Path, address: str) -> None:
    file.write_text(LEAST.replace("https://ehr.example.org/jwks", address))
    assert read_registry(file).clients[0].jwks_url == address


def test_a_file_that_is_no_text_or_not_there_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff")
    for path, said in ((file, "is no UTF-8 text"), (file.parent / "absent", "cannot be read"), (file.parent, "cannot be read")):
        with pytest.raises(ClientsRefused, match=said):
            read_registry(path)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (b"<html>", "CLIENT-020 the key set is no strict JSON"),
        (key_set(jwk("ES256")), "CLIENT-022"),
        (b'{"keys":[]}', "CLIENT-022"),
    ],
)
def test_a_service_whose_client_has_no_key_does_not_start(tmp_path: Path, keys: bytes, said: str) -> None:
    settings = Settings(clients_file=registry_file(tmp_path, keys=keys), public_url=BASE)
    with pytest.raises(ClientsRefused, match=said):
        advisor_for(settings)


def test_a_service_with_clients_needs_its_public_address(tmp_path: Path) -> None:
    with pytest.raises(ClientsRefused, match="CLIENT-007 CDS_PUBLIC_URL"):
        advisor_for(Settings(clients_file=registry_file(tmp_path)))


def test_with_clients_the_service_may_listen_to_the_network(tmp_path: Path) -> None:
    host = "0.0.0.0"  # noqa: S104 - what is tested
    check_network(Settings(host=host, clients_file=registry_file(tmp_path)))
    with pytest.raises(SettingsRefused, match="SET-002"):
        check_network(Settings(host=host))


def test_settings_of_trust_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "CLIENTS_FILE": "/absent",
        "TOKEN_LEEWAY_SECONDS": "4",
        "REPLAY_REDIS_URL": "http://:secret@x",
        "KEY_SET_SECONDS": "0",
    }.items():
        monkeypatch.setenv(f"CDS_{name}", value)
    with pytest.raises(SettingsRefused) as refused:
        read_settings()
    lines = str(refused.value).splitlines()
    assert [line.split()[1] for line in lines] == [
        "CDS_CLIENTS_FILE:",
        "CDS_KEY_SET_SECONDS:",
        "CDS_REPLAY_REDIS_URL:",
        "CDS_TOKEN_LEEWAY_SECONDS:",
    ]
    assert "secret" not in str(refused.value)


def test_an_empty_variable_is_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_CLIENTS_FILE", "")
    assert read_settings().clients_file is None


def test_the_settings_command_does_not_show_the_password_of_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_REPLAY_REDIS_URL", "redis://:secret@127.0.0.1/0")
    shown = CliRunner().invoke(commands, ["settings"]).output
    assert ("CDS_REPLAY_REDIS_URL=***" in shown, "secret" in shown) == (True, False)


SITES = """
[[client]]
name = "north"
issuer = "https://ehr.example.org"
tenants = {north}
jwks_url = "https://ehr.example.org/jwks"
[[client]]
name = "south"
issuer = "https://ehr.example.org"
{south}
jwks_url = "https://ehr.example.org/jwks"
"""


def test_clients_of_one_issuer_are_told_apart_by_tenant(tmp_path: Path) -> None:
    registry = registry_of(SITES.format(north='["n", "N"]', south='tenants = ["s"]'), tmp_path / "clients.toml")
    found = {tenant: registry.client_of("https://ehr.example.org", tenant) for tenant in ("n", "N", "s", "S", "", None, 1)}
    assert {tenant: client and client.name for tenant, client in found.items()} == {
        "n": "north", "N": "north", "s": "south", "S": None, "": None, None: None, 1: None,
    }  # fmt: skip


@pytest.mark.parametrize("south", ["", 'tenants = ["s", "n"]', 'tenants = "s"', "tenants = []"])
def test_clients_of_one_issuer_that_nothing_tells_apart_are_refused(tmp_path: Path, south: str) -> None:
    with pytest.raises(ClientsRefused, match="'tenants' in each of these tables and no tenant in two"):
        registry_of(SITES.format(north='["n"]', south=south), tmp_path / "clients.toml")


def test_the_rules_of_every_site_are_loaded_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(RulebookInvalid, match="RULE-042"):
        advisor_for(Settings(clients_file=registry_file(tmp_path, 'site = "no-such-site"'), public_url=BASE))


@pytest.mark.parametrize(
    ("languages", "found"),
    [((), ""), (("de",), ""), (("es-mx", "en"), "es"), (("pt-br",), "pt-BR"), (("de", "EN"), "en"), (("*",), ""), (("",), "")],
)
def test_the_first_language_that_the_cards_have_is_taken(languages: tuple[str, ...], found: str) -> None:
    assert first_spoken(languages, ["en", "es", "pt-BR"]) == found


# cds-service clients check


def check(*arguments: str, **environment: str | None) -> Result:
    return CliRunner().invoke(
        commands, ["clients", "check", *arguments], env={"CDS_PUBLIC_URL": BASE, "CDS_CLIENTS_FILE": None, **environment}
    )


def test_a_registry_whose_addresses_answer_is_well(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jwks").respond_with_data(key_set(jwk(), jwk("ES256", "other")))
    httpserver.expect_request("/fhir/metadata").respond_with_json({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
    file = tmp_path / "clients.toml"
    file.write_text(
        LEAST.replace("https://ehr.example.org/jwks", httpserver.url_for("/jwks")) + f'fhir_servers = ["{httpserver.url_for("/fhir")}"]'
    )
    shown = check(str(file))
    assert (shown.exit_code, shown.output.splitlines()) == (
        0,
        [
            f"ok      {file}: 1 clients",
            f"ok      ehr: key set {httpserver.url_for('/jwks')}: keys for ES384, RS384: 'k1'",
            f"ok      ehr: FHIR server {httpserver.url_for('/fhir')}: answers as FHIR 4.0.1",
        ],
    )


def test_the_terminology_of_the_site_is_checked_with_the_rules_of_each_site(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(LEAST)
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "drugs.csv").write_text("system,code,name,ingredient,product,strength,per,form,route\nx,1,Aspirin,aspirine,,,,,\n")
    shown = check("--offline", str(file), CDS_SITE_TERMINOLOGY_DIR=str(folder))
    problems = [line for line in shown.output.splitlines() if line.startswith("PROBLEM")]
    assert (shown.exit_code, problems) == (1, [f"PROBLEM {folder}/drugs.csv:2:1 TERM-006 no ingredient 'aspirine'"])


def test_what_does_not_answer_is_told(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/jwks").respond_with_data(key_set(jwk("ES256")))
    httpserver.expect_request("/fhir/metadata").respond_with_data("", 503)
    text = LEAST.replace("https://ehr.example.org/jwks", httpserver.url_for("/jwks")) + 'language = "xx"\n'
    more = f'[[client]]\nname = "b"\nissuer = "b"\njwks_url = "http://127.0.0.1:1/"\nfhir_servers = ["{httpserver.url_for("/fhir")}", "http://127.0.0.1:1"]\n'
    file = tmp_path / "clients.toml"
    file.write_text(text + more)
    shown = check(CDS_CLIENTS_FILE=str(file), CDS_PUBLIC_URL="")
    lines = shown.output.splitlines()
    assert (shown.exit_code, [line[:8] for line in lines]) == (1, ["ok      ", *["PROBLEM "] * 6])
    expected = [
        "CLIENT-007",
        "language xx has no cards",
        "found keys for ES256 alone; expected one for ES384, RS384",
        "CLIENT-021 no connection: is the address right, does it run",
        "status 503",
    ]
    for line, said in zip(lines[1:], [*expected, "no connection"], strict=True):
        assert said in line


def test_offline_nothing_is_asked(tmp_path: Path, httpserver: HTTPServer) -> None:
    file = tmp_path / "clients.toml"
    file.write_text(
        LEAST.replace("https://ehr.example.org/jwks", httpserver.url_for("/jwks")) + f'fhir_servers = ["{httpserver.url_for("/fhir")}"]'
    )
    shown = check("--offline", str(file))
    assert (shown.exit_code, shown.output, httpserver.log) == (0, f"ok      {file}: 1 clients; nothing was asked (--offline)\n", [])


@pytest.mark.parametrize(
    ("status", "body", "is_well", "said"),
    [
        (200, '{"fhirVersion": "4.3.0"}', True, "answers as FHIR 4.3.0"),
        (200, '{"fhirVersion": "3.0.2"}', False, "answers as FHIR 3.0.2; expected R4"),
        (200, "<html>", False, "not with a CapabilityStatement"),
        (200, "[]", False, "not with a CapabilityStatement"),
        (401, "", True, "wants a token even for /metadata"),
        (403, "", True, "wants a token even for /metadata"),
        (302, "", False, "answers with a redirect (status 302); reads follow none"),
        (404, "", False, "is this the base address"),
        (500, "", False, "with status 500"),
    ],
)
def test_what_a_fhir_server_answers_is_told_in_plain_words(
    tmp_path: Path,
    httpserver: HTTPServer,
    status: int,
    body: str,
    is_well: bool,  # noqa: FBT001
    said: str,
) -> None:
    httpserver.expect_request("/fhir/metadata").respond_with_data(body, status, headers={"Location": "/elsewhere"})
    line = check(str(registry_file(tmp_path, f'fhir_servers = ["{httpserver.url_for("/fhir")}"]'))).output.splitlines()[-1]
    assert (line.startswith("ok "), said in line) == (is_well, True), line


def test_a_fhir_server_with_a_certificate_of_its_own_is_told_what_helps(tmp_path: Path) -> None:
    names = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(names["tls_certificate_file"], names["tls_key_file"])
    server = HTTPServer("localhost", ssl_context=context)
    server.expect_request("/fhir/metadata").respond_with_json({"fhirVersion": "4.0.1"})
    with server:
        file = registry_file(tmp_path, f'fhir_servers = ["https://localhost:{server.port}/fhir"]')
        lines = [check(str(file), CDS_FHIR_CA_FILE=given).output.splitlines()[-1] for given in ("", str(names["tls_certificate_file"]))]
    assert [
        "certificate is not trusted here" in lines[0] and "CDS_FHIR_CA_FILE names" in lines[0],
        lines[1].endswith("answers as FHIR 4.0.1"),
    ] == [True, True]


def test_a_public_address_without_encryption_is_remarked(tmp_path: Path) -> None:
    shown = check(str(registry_file(tmp_path)), CDS_PUBLIC_URL="http://cds.example.org")
    assert (shown.exit_code, "tokens can be read on the way" in shown.output) == (0, True)


def test_a_site_without_rules_is_told(tmp_path: Path) -> None:
    shown = check(str(registry_file(tmp_path, 'site = "no-such-site"')))
    assert (shown.exit_code, "RULE-042" in shown.output) == (1, True)


def test_a_registry_with_mistakes_ends_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = registry_file(tmp_path, "nmae = 1")
    monkeypatch.setattr("sys.argv", ["cds-service", "clients", "check", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, "did you mean 'name'?" in capsys.readouterr().err) == (2, True)


def test_without_a_file_the_command_says_what_it_needs() -> None:
    shown = check()
    assert isinstance(shown.exception, SettingsRefused)
    assert "CLIENT-008" in str(shown.exception)
