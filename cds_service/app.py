"""Floor 8: settings and an advisor become a Flask application."""

import gc
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final

from flask import Flask, Response, g, request

from cds_service.advisor import PackAdvisor, Record, in_turn, no_record
from cds_service.analytics.alarms import alarms
from cds_service.analytics.background import RollingUp
from cds_service.analytics.codes import codes
from cds_service.analytics.comments import comments
from cds_service.analytics.days import CountedLately
from cds_service.analytics.usage import choices, usage
from cds_service.clients.admission import registry_in_force, token_check
from cds_service.clients.replay import ReplayMemory
from cds_service.errors import SettingsRefused
from cds_service.fhir.salvage import build_validators
from cds_service.fhir_reads.pool import FhirPool
from cds_service.fhir_reads.reads import Bounds, FhirReads
from cds_service.live.advisor import LiveAdvisor
from cds_service.live.sentinels import read_sentinels
from cds_service.live.stamps import pack_places, stamps_of
from cds_service.live.upkeep import Loaded, Rhythm, Upkeep
from cds_service.memory import open_memory
from cds_service.metrics import Metrics
from cds_service.observe import CallRecord, log_call, log_error, log_refusal, log_trouble, write_log_to
from cds_service.pack import read_packs
from cds_service.service import Overrides, Wishes
from cds_service.settings import Settings, read_settings
from cds_service.store.engine import Store
from cds_service.store.lookup import find_decision
from cds_service.store.recorder import Caller
from cds_service.tally import Tally
from cds_service.terminology.site_files import SiteFiles
from cds_service.web.cds_services import CALL_ROUTE, Advisor, cds_services
from cds_service.web.cors import allow_origins
from cds_service.web.errors import answer_errors
from cds_service.web.feedback import CountedFeedback, FeedbackKeeper, NoStore, feedback
from cds_service.web.gateway import BodyBounds, Gateway
from cds_service.web.openapi import openapi
from cds_service.web.operations import Readiness, operations
from cds_service.web.paths import single_slashes
from cds_service.web.proxies import only_from_proxies
from cds_service.web.trust import Screen, admit
from cds_service.web.workbench import Sources, workbench
from cds_service.web.workbench.use_source import UseSource
from cds_service.web.workbench.warm_up import warm_up_behind

_SCREEN: Final = "cds_service.screen"
_UPKEEP: Final = "cds_service.upkeep"
_METHODS: Final = frozenset(["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"])
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Sent with every answer unless a route says otherwise: advice is about a patient and stays in no cache."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What those who run the service see of it: its figures, and whether it is ready."""

    metrics: Metrics = field(default_factory=Metrics)
    readiness: Callable[[], Readiness] = Readiness


def create_app(
    settings: Settings,
    advisor: Advisor,
    used_tokens: ReplayMemory | None = None,
    keeper: FeedbackKeeper | None = None,
    sources: Sources | None = None,
    watch: Watch | None = None,
) -> Flask:
    """Build the application; the same settings and advisor give the same application, without any global state.

    `used_tokens` is the memory that processes share; without one each has its own. `keeper` keeps feedback; without one it is
    answered with 503. `sources` is what the workbench shows; without it there are no pages. `watch` is what
    `/metrics` and `/ready` tell. Raises ClientsRefused.
    """
    registry = registry_in_force(settings)
    app = Flask("cds_service", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    known = partial(_ids, advisor)
    check = token_check(registry, settings, used_tokens, lambda what: log_trouble("tokens", what)) if registry else None
    screen = Screen(check, settings.public_url) if check else None
    app.extensions[_SCREEN] = screen
    watch = watch or Watch()
    metrics = watch.metrics
    _log_each_call(app, known, metrics)
    allow_origins(app, registry.origins() if registry else settings.cors_origins)
    admit(app, screen, _refusals(metrics))
    answer_errors(app, lambda error: log_error(g.request_id, error))
    app.register_blueprint(cds_services(advisor, settings.hooks_version))
    app.register_blueprint(feedback(known, CountedFeedback(keeper or NoStore(), metrics.feedback), lambda: caller(settings).client))
    app.register_blueprint(operations(metrics.text, watch.readiness))
    app.register_blueprint(openapi(advisor.services))
    if sources:
        app.register_blueprint(workbench(sources, settings.public_url))
    proxied = only_from_proxies(app.wsgi_app, settings.trusted_proxies, settings.user_header)
    app.wsgi_app = single_slashes(proxied)  # type: ignore[method-assign,assignment]
    return app


def gateway(load: Callable[[], Flask], settings: Settings) -> Gateway:
    """Put what reads bodies in front of the application that `load` makes."""
    app = load()
    upkeep: Upkeep | None = app.extensions.get(_UPKEEP)
    if upkeep:
        upkeep.start()
    warm_up_behind(app)
    screen: Screen | None = app.extensions[_SCREEN]
    bounds = BodyBounds(settings.max_body_bytes, settings.body_seconds)
    return Gateway(app, screen.lets_in if screen else None, bounds, settings.threads)


@cache
def from_environment() -> Flask:
    """Build the application from the CDS_* variables, once for each process; raises SettingsRefused and RulebookInvalid."""
    settings = read_settings()
    write_log_to(level=settings.log_level)
    metrics = Metrics()
    memory = open_memory(settings, lambda: caller(settings), metrics.decisions())
    rolling_up = RollingUp(memory.store, settings.zone, report=lambda what: log_trouble("store", what))
    record = in_turn(metrics.decision, memory.recorder, rolling_up.begin)
    loaded = load_packs(settings)
    advisor = LiveAdvisor(_advisor(settings, loaded, record, metrics, memory.overrides))
    rhythm = Rhythm(settings.reload_seconds, settings.sentinel_seconds)
    upkeep = Upkeep(advisor, loaded, partial(load_packs, settings), pack_places(settings), rhythm, metrics)
    sources = sources_of(advisor, settings, memory.store)
    app = create_app(settings, advisor, memory.tokens, memory.feedback, sources, Watch(metrics, upkeep.readiness))
    app.extensions[_UPKEEP] = upkeep
    return app


def sources_of(advisor: PackAdvisor | LiveAdvisor, settings: Settings, store: Store | None = None) -> Sources:
    """Give the workbench what it shows; without a store it shows no past decision."""
    change_log = settings.rules_dir.parent / "CHANGELOG.md"

    def changes() -> str:
        return change_log.read_text(encoding="utf-8") if change_log.is_file() else ""

    return Sources(
        pack=lambda: advisor.pack,
        explain=advisor.explain,
        today=advisor.today,
        changes=changes,
        find_decision=partial(find_decision, store) if store else None,
        use=use_of(advisor, store) if store else None,
    )


def use_of(advisor: PackAdvisor | LiveAdvisor, store: Store) -> UseSource:
    """Give the page of use the counts of a store, in days of the site, up to the present moment."""
    count = CountedLately()

    def now() -> dict[str, Any]:
        return {"zone": advisor.zone, "now": advisor.clock(), "count": count}

    return UseSource(
        usage=lambda window, filters: usage(store, window, filters, **now()),
        alarms=lambda filters: alarms(store, filters, **now()),
        comments=lambda window, filters: comments(store, window, filters, zone=advisor.zone, limit=100),
        codes=lambda window, filters: codes(store, window, filters),
        choices=lambda: choices(store, **now()),
    )


def caller(settings: Settings) -> Caller:
    """Tell who sent the present request, at which site, and to which service, by names of the service's own configuration."""
    client = g.get("client")
    name, site = (client.name, client.site) if client else ("", "")
    return Caller(name, site or settings.site, (request.view_args or {}).get("service_id", ""))


def advisor_for(
    settings: Settings, record: Record = no_record, metrics: Metrics | None = None, overrides: Overrides | None = None
) -> PackAdvisor:
    """Load rules, cards and terminology of the settings' folders into an advisor, for every site of the client registry."""
    return _advisor(settings, load_packs(settings), record, metrics, overrides)


def load_packs(settings: Settings) -> Loaded:
    """Read what the settings name, for every site of the client registry; raises RulebookInvalid and OSError."""
    stamps = stamps_of(pack_places(settings))
    registry = registry_in_force(settings)
    sites = registry.sites() if registry else ()
    packs = read_packs(settings.rules_dir, settings.cards_dir, [settings.site, *sites], site_files_of(settings))
    by_site = {site: packs[site] for site in sites}
    return Loaded(packs[settings.site], by_site, read_sentinels(settings.rules_dir), stamps)


def _advisor(settings: Settings, loaded: Loaded, record: Record, metrics: Metrics | None, overrides: Overrides | None) -> PackAdvisor:
    return PackAdvisor(
        loaded.own,
        settings.zone,
        wishes_of(settings),
        site_packs=loaded.by_site,
        record=record,
        overrides=overrides,
        reads=reads_for(settings, metrics.tally("cds_fhir_reads_total") if metrics else None),
        refuses_without_data=settings.missing_data == "412",
    )


def site_files_of(settings: Settings) -> SiteFiles:
    """Take from the settings where the site keeps its own terminology."""
    return SiteFiles(settings.terminology_file, settings.site_terminology_dir)


def reads_for(settings: Settings, tally: Tally | None = None) -> FhirReads:
    """Set up the reads of what prefetch leaves out, so that they take a quarter of the threads at most, and as many wait; `tally` counts them."""
    bounds = Bounds(settings.fhir_deadline, max(1, settings.threads // 4), settings.fhir_open_servers)
    try:
        pool = FhirPool(settings.fhir_ca_file)
    except OSError:
        raise SettingsRefused("SET-001 CDS_FHIR_CA_FILE: found a file without readable certificates; expected a PEM file") from None
    return FhirReads(pool, bounds, counts=tally)


def wishes_of(settings: Settings, *, with_trace: bool = False) -> Wishes:
    """Take from the settings what site and client ask of an answer."""
    return Wishes(profile=settings.client_profile, info_at_order_select=settings.info_at_order_select, with_trace=with_trace)


def settle_memory() -> None:
    """Build what the first call would wait for, and take it out of the garbage collector's sight (collections then cost a half)."""
    build_validators()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _log_each_call(app: Flask, services: Callable[[], Collection[str]], metrics: Metrics) -> None:
    """Give each request an id, and write its line and count it when the answer is ready."""

    @app.before_request
    def begin() -> None:
        g.started = time.perf_counter()
        g.request_id = str(uuid.uuid4())

    @app.after_request
    def finish(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-Id"] = g.request_id
        record = _record(response, services())
        log_call(record)
        if record.route == CALL_ROUTE and record.method == "POST":
            metrics.call(record.service, record.status, g.get("cards", 0), record.ms / 1000)
        return response


def _record(response: Response, services: Collection[str]) -> CallRecord:
    """Sum up one exchange for the log, in words of the program's own."""
    service = (request.view_args or {}).get("service_id", "")
    return CallRecord(
        request=g.request_id,
        method=request.method if request.method in _METHODS else "other",
        route=request.url_rule.rule if request.url_rule else "none",
        service=service if service in services else "",
        status=response.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 1),
    )


def _refusals(metrics: Metrics) -> Callable[[str, str], None]:
    """Log and count why tokens are refused."""
    tally = metrics.tally("cds_tokens_refused_total")

    def refused(code: str, client: str) -> None:
        log_refusal(g.request_id, code, client)
        tally.count(code)

    return refused


def _ids(advisor: Advisor) -> frozenset[str]:
    """Name the services on offer now."""
    return frozenset(service.id for service in advisor.services())
