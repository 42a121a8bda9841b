"""What CDS Hooks asks of a service, with the test that shows each; docs/specification.md is written from here.

`python -m tests.specification` prints the page. The ids are those of the Inferno CRD test kit's requirement set cds-hooks_2.0; a `#` is the
heading in the text of CDS Hooks 2.0.1.
"""

from dataclasses import dataclass
from typing import Literal

Word = Literal["shall", "should", "may"]
State = Literal["yes", "in part", "no", "not used"]

ANSWERS = "test_answers_over_http.py"
CALLS = "test_web_calls.py"
CARDS = "test_cards_making.py"
DISCOVERY = "test_web_discovery.py"
DOCTOR = "test_doctor.py"
FEEDBACK = "test_feedback_http.py"
HERE = "test_specification.py"
KEYS = "test_clients_keys.py"
OPENAPI = "test_openapi.py"
PARSE = "test_parse.py"
PREFETCH = "test_prefetch.py"
READS = "test_fhir_reads_calls.py"
TRUST = "test_web_trust.py"
VALID = f"{ANSWERS}::test_recorded_requests_get_valid_answers"
MUTATED = f"{ANSWERS}::test_a_request_mutated_field_by_field_never_breaks_the_service_nor_the_specification"
TEMPLATES = f"{DISCOVERY}::test_each_template_keeps_to_the_restrictions_of_the_specification"
FAULTS = "test_fhir_reads_faults.py"


@dataclass(frozen=True)
class Requirement:
    """One thing that is asked; `remark` is needed wherever the state is not a plain yes."""

    ids: str
    section: str
    word: Word
    text: str
    shown_by: tuple[str, ...] = ()
    state: State = "yes"
    remark: str = ""


R = Requirement

PUBLISHED = (
    R(
        "1, 2, 168",
        "#use-of-json",
        "shall",
        "Data are JSON",
        (f"{OPENAPI}::test_whatever_is_sent_gets_an_answer_that_the_document_describes",),
    ),
    R(
        "1, 168",
        "#use-of-json",
        "shall",
        "Over HTTPS",
        state="in part",
        remark="TLS at the service (`CDS_TLS_CERTIFICATE_FILE`) or at a proxy before it. Plain HTTP is refused nowhere, because the service cannot see what stands before it; `clients check` remarks a public address without encryption.",
        shown_by=(
            "test_listening.py::test_the_service_answers_over_https_and_not_over_http",
            "test_clients_registry.py::test_a_public_address_without_encryption_is_remarked",
        ),
    ),
    R(
        "3",
        "#use-of-json",
        "shall",
        "No null, empty text, list or object",
        (VALID, MUTATED, f"{DISCOVERY}::test_empty_members_are_left_out_of_discovery"),
    ),
    R(
        "4, 5, 6, 13",
        "#discovery",
        "shall",
        "GET {base}/cds-services answers 200 with an object that has an array `services`",
        (f"{DISCOVERY}::test_discovery_names_both_services_with_all_members",),
    ),
    R(
        "",
        "#response",
        "should",
        "Without services: 200 and an empty array",
        (f"{DISCOVERY}::test_without_services_discovery_is_an_empty_list",),
    ),
    R("14", "#response", "may", "Other 4xx and 5xx at discovery", (f"{TRUST}::test_discovery_calls_and_feedback_are_closed_alike",)),
    R("7, 9, 10", "#response", "shall", "Each service has `hook`, `description`, `id`", (f"{OPENAPI}::test_discovery_is_as_described",)),
    R("8", "#response", "should", "Each service has a `title`", (f"{DISCOVERY}::test_discovery_names_both_services_with_all_members",)),
    R(
        "11, 12",
        "#response",
        "may",
        "`prefetch`, `usageRequirements`",
        (
            f"{DISCOVERY}::test_discovery_names_both_services_with_all_members",
            f"{HERE}::test_usage_requirements_say_what_happens_without_data",
        ),
    ),
    R(
        "210, 211",
        "#update-stale-guidance",
        "may",
        "One `id` for several hooks: the later answer takes the place of the earlier cards",
        state="not used",
        remark="Each address takes one hook and refuses the other, so that advice meant for another moment is never given. A client that keeps the cards of order-select open beside those of order-sign shows warnings twice.",
    ),
    R(
        "29, 36",
        "#prefetch-template",
        "shall",
        "What is to be prefetched stands in discovery",
        (
            f"{DISCOVERY}::test_only_data_that_rules_read_is_asked_for",
            "test_readme.py::test_the_prefetch_table_of_the_docs_is_that_of_discovery",
        ),
    ),
    R("55", "#prefetch-template", "shall", "A template is a relative FHIR read or search", (TEMPLATES,)),
    R("56, 59", "#prefetch-tokens", "shall", "Tokens stand in {{…}} and are context members or users' ids", (TEMPLATES,)),
    R("57", "#prefetch-tokens", "shall", "Only primitive members at the root of the context", (TEMPLATES,)),
    R("library 16, 89, 93", "hooks order-sign, order-select", "shall", "No token into draftOrders or selections", (TEMPLATES,)),
    R("58", "#prefetch-query-restrictions", "should", "Only the recommended subset of searches", (TEMPLATES,)),
    R(
        "",
        "#prefetch-template",
        "shall",
        "The service itself compares prefetch with its templates and gets the rest",
        (f"{READS}::test_fetched_and_prefetched_give_the_same_cards", f"{PREFETCH}::test_the_four_keys_of_discovery_are_enough"),
    ),
    R(
        "",
        "#prefetch-template",
        "shall",
        "`null` (2.0) and a Bundle without entries (2.0.1) both mean: no data",
        (f"{PREFETCH}::test_an_empty_answer_without_a_query_is_known_by_its_key", f"{HERE}::test_null_and_an_empty_bundle_mean_the_same"),
    ),
    R(
        "52",
        "#prefetch-template",
        "should",
        "Look for an OperationOutcome in prefetch",
        (f"{READS}::test_prefetch_that_is_an_error_or_cut_is_read_again", f"{PREFETCH}::test_an_error_beside_readable_entries_is_partial"),
    ),
    R(
        "",
        "#prefetch-template",
        "may",
        "Prefetch can be paged",
        (f"{PREFETCH}::test_a_next_page_matters_unless_the_newest_first_reach_back_far_enough",),
    ),
    R(
        "54",
        "#prefetch-template",
        "shall",
        "412 where required data can be had neither from prefetch nor from the FHIR server",
        (f"{READS}::test_a_site_can_have_412_where_nothing_could_be_had",),
        "in part",
        "By default 200 with a card that says which check could not be made: EHRs show nothing at all for a 412, and silence at the signing of an opioid antagonist is the more dangerous answer. `CDS_MISSING_DATA=412` gives the letter.",
    ),
    R(
        "34",
        "#providing-fhir-resources-to-a-cds-service",
        "should",
        "Prefetch or the FHIR server, either is enough",
        (
            f"{READS}::test_fetched_and_prefetched_give_the_same_cards",
            f"{READS}::test_where_nothing_is_missing_or_no_rule_is_concerned_nothing_is_read",
        ),
    ),
    R("27", "#http-request_1", "should", "Answers in about 500 ms", (f"{HERE}::test_recorded_requests_are_answered_well_within_500_ms",)),
    R("16", "#http-request_1", "shall", "POST {base}/cds-services/{id}", (f"{CALLS}::test_each_address_serves_its_own_hook",)),
    R(
        "",
        "#http-request_1",
        "shall",
        "Of the client: `hook`, `context`, `hookInstance`. What comes without is refused or survived",
        (f"{PARSE}::test_a_malformed_request_is_refused_with_what_was_found", f"{PARSE}::test_a_hook_instance_of_any_kind_is_kept"),
    ),
    R(
        "",
        "hooks",
        "should",
        "Unknown members are passed over: new optional ones are a minor change",
        (f"{PARSE}::test_unknown_members_are_ignored",),
    ),
    R(
        "60",
        "#fhir-resource-access",
        "may",
        "The FHIR server is called only where both `fhirServer` and `fhirAuthorization` came",
        (f"{READS}::test_a_listed_server_that_is_not_on_this_machine_is_read_with_a_token_alone",),
        "in part",
        "Without a token it is read on loopback (the public sandbox never sends one for an open server), and elsewhere only with `CDS_FHIR_OPEN_SERVERS`.",
    ),
    R(
        "61",
        "#fhir-resource-access",
        "shall",
        "The token goes with each read",
        (f"{READS}::test_the_searches_are_those_of_discovery_and_carry_the_token_of_the_call",),
    ),
    R(
        "",
        "#fhir-resource-access",
        "shall",
        "The token is transient: kept nowhere, sent nowhere else",
        (
            f"{READS}::test_no_id_and_no_token_reach_a_log",
            f"{READS}::test_nothing_leads_to_a_stranger",
            f"{PARSE}::test_a_call_written_out_shows_no_patient_and_no_token",
        ),
    ),
    R("74", "#cds-service-response", "shall", "Success is 200 with an array `cards`", (VALID,)),
    R(
        "75",
        "#cds-service-response",
        "may",
        "`systemActions`",
        state="no",
        remark="Nothing is changed without a clinician. Inferno's CRD suite wants `systemActions` present at order-sign; that one test fails on purpose, because an empty list would break #use-of-json.",
    ),
    R(
        "77",
        "#cds-service-response",
        "shall",
        'Without guidance: `{"cards": []}`',
        (f"{HERE}::test_an_order_that_no_rule_concerns_gets_an_empty_list",),
    ),
    R("", "#cds-card", "may", "`uuid`, for feedback: lower-case RFC 4122", (VALID,)),
    R(
        "83",
        "#cds-card",
        "shall",
        "`summary` of fewer than 140 characters, one sentence",
        (VALID, "test_cards_words.py::test_every_summary_is_one_sentence_under_140_characters"),
    ),
    R(
        "85",
        "#cds-card",
        "shall",
        "`detail` is GitHub-flavoured Markdown; text of the chart is inert in it",
        (VALID, "test_cards_text.py::test_hostile_text_makes_no_element"),
    ),
    R("87, 88", "#cds-card", "shall", "`indicator` is info, warning or critical", (VALID,)),
    R(
        "90",
        "#source",
        "shall",
        "`source` with `label`; `url` and `icon` absolute; `topic` a Coding",
        (VALID, f"{CARDS}::test_a_card_holds_what_the_specification_asks"),
    ),
    R(
        "93",
        "#cds-card",
        "shall",
        "`selectionBehavior` wherever there are suggestions",
        (VALID, f"{CARDS}::test_no_selection_behaviour_without_suggestions"),
    ),
    R("95", "#cds-card", "shall", "`selectionBehavior` is at-most-one or any", (VALID,)),
    R(
        "100, 136, 219",
        "#overridereason",
        "shall",
        "Each override reason is a Coding with `display`",
        (VALID, f"{CARDS}::test_a_card_holds_what_the_specification_asks"),
    ),
    R(
        "",
        "#suggestion",
        "shall",
        "Each suggestion has a `label`; several are recommended only under `any`",
        (VALID, f"{HERE}::test_at_most_one_suggestion_is_recommended_where_one_can_be_taken"),
    ),
    R(
        "127-135",
        "#action",
        "shall",
        "`type`, `description`; create and update carry the whole resource, delete a `resourceId`",
        (
            VALID,
            f"{HERE}::test_the_actions_of_an_answer_carry_what_their_type_asks",
            "test_cards_suggestions.py::test_the_draft_itself_is_not_touched",
        ),
    ),
    R(
        "147",
        "#link",
        "shall",
        "`label`, `url`, `type`; `appContext` only with smart links",
        (VALID,),
        remark="All links are absolute; there is no SMART app.",
    ),
    R("", "#link", "may", "`autolaunchable` (2.0.1)", state="not used", remark="There is no app to launch."),
    R("", "#coding", "shall", "A Coding has `code` and `system`", (VALID,)),
    R(
        "",
        "#feedback",
        "may",
        "POST {base}/cds-services/{id}/feedback, in batches",
        (f"{FEEDBACK}::test_recorded_feedback_is_kept", f"{FEEDBACK}::test_a_batch_is_kept_whole"),
    ),
    R("", "#feedback", "may", "Feedback for one card can come again", (f"{FEEDBACK}::test_a_repeat_changes_nothing",)),
    R(
        "177",
        "#trusting-cds-clients",
        "should",
        "Who calls is authenticated",
        (f"{TRUST}::test_discovery_calls_and_feedback_are_closed_alike",),
        remark="With a client registry. Without one the service listens on loopback alone, unless a setting that names the risk says otherwise.",
    ),
    R(
        "",
        "#trusting-cds-clients",
        "shall",
        "`iss`, `aud`, `exp`, `iat`, `jti`; `aud` is the address called; `jti` is good once",
        (
            f"{TRUST}::test_a_bad_token_is_refused_for_its_reason_which_the_log_alone_tells",
            f"{TRUST}::test_each_address_takes_tokens_for_itself",
            f"{TRUST}::test_a_token_is_good_once",
        ),
    ),
    R(
        "201, 203",
        "#trusting-cds-clients",
        "shall",
        "Neither `none` nor symmetric algorithms",
        (f"{TRUST}::test_a_bad_token_is_refused_for_its_reason_which_the_log_alone_tells",),
    ),
    R(
        "",
        "#trusting-cds-clients",
        "should",
        "ES384 and RS384",
        (f"{TRUST}::test_the_tokens_of_the_public_sandbox_pass", f"{TRUST}::test_the_tokens_of_epic_pass"),
    ),
    R(
        "195",
        "#trusting-cds-clients",
        "should",
        "A list of allowed `iss` and `jku`",
        (f"{KEYS}::test_keys_come_from_the_address_in_the_registry_and_no_other",),
        remark="`jku` is not looked at: the registry says where the keys of an issuer are.",
    ),
    R(
        "",
        "#mutual-tls",
        "may",
        "Mutual TLS",
        state="no",
        remark="A proxy can ask for certificates; the service itself knows clients by their tokens.",
    ),
    R(
        "208",
        "#cross-origin-resource-sharing",
        "shall",
        "CORS for clients in browsers",
        (
            "test_web_cors.py::test_a_preflight_of_the_sandbox_passes_on_every_path",
            "test_web_cors.py::test_a_strange_origin_is_never_reflected",
        ),
    ),
    R(
        "",
        "#extensions",
        "shall",
        "`extension` is an object, with keys in reverse-domain style",
        (VALID, f"{CARDS}::test_the_extension_says_what_was_found"),
    ),
)

BALLOT = (
    R(
        "",
        "discovery",
        "should",
        "`version`: the CDS Hooks version",
        (f"{DISCOVERY}::test_discovery_names_both_services_with_all_members",),
        remark="`CDS_HOOKS_VERSION`.",
    ),
    R(
        "",
        "discovery",
        "may",
        "`hookVersion`, as the hook definition has it",
        (f"{HERE}::test_the_hook_version_is_that_of_the_published_definitions",),
    ),
    R(
        "",
        "status",
        "should",
        "An OperationOutcome with every answer that is not 2xx",
        (
            f"{OPENAPI}::test_refusals_are_as_described",
            f"{CALLS}::test_an_unknown_address_gets_404_as_json",
            f"{TRUST}::test_every_refusal_is_one_and_the_same_answer",
        ),
    ),
    R(
        "",
        "FHIR",
        "shall",
        "Embedded FHIR is FHIR JSON",
        (
            f"{CALLS}::test_numbers_of_a_draft_come_back_with_their_own_digits",
            f"{HERE}::test_the_actions_of_an_answer_carry_what_their_type_asks",
        ),
    ),
    R(
        "",
        "prefetch tokens",
        "may",
        "Simpler FHIRPath in tokens",
        state="not used",
        remark="A 2.0 client could not fill them; four plain queries are enough.",
    ),
    R("", "suggestion", "shall", "No `actionSelectionBehavior` unless the client is known to support it", (VALID,), remark="Never sent."),
    R("", "systemAction", "may", "`description` is optional", state="no", remark="No systemActions are sent."),
    R(
        "",
        "fhirAuthorization",
        "may",
        "SMART v2 scopes",
        (f"{HERE}::test_scopes_are_not_interpreted",),
        remark="The scope is not interpreted: a read that it does not cover is refused by the FHIR server, and told as not checked.",
    ),
    R("", "client JWT", "should", "Of the client: `jku`", state="not used", remark="Not looked at; see 195."),
)
"""What 3.0.0-ballot adds for a service; nothing of it contradicts 2.0.1."""

_HEAD = """# What CDS Hooks asks, and the test that shows it

Written by `python -m tests.specification` from [tests/specification.py](../tests/specification.py); a test fails where a named test does not
exist, where a requirement has neither test nor reason, or where this page is stale. CDS Hooks 2.0.1 is the published release.
"I" are the requirement ids of Inferno's set cds-hooks_2.0; lines without one stand in the text alone. Only what concerns a service is listed.

"""


def page() -> str:
    """Write docs/specification.md."""
    return "".join(
        [
            _HEAD,
            _sums(),
            "\n## CDS Hooks 2.0.1\n\n",
            _table(PUBLISHED),
            "\n## What the ballot of 3.0 adds\n\n",
            _table(BALLOT),
            _not_whole(),
        ]
    )


def _sums() -> str:
    every = (*PUBLISHED, *BALLOT)
    counts = [f"{word} {sum(one.state == word for one in every)}" for word in ("yes", "in part", "no", "not used")]
    return f"{len(every)} requirements: {', '.join(counts)}.\n"


def _table(requirements: tuple[Requirement, ...]) -> str:
    head = "| I | section | | asked | kept | shown by (tests/) |\n| --- | --- | --- | --- | --- | --- |\n"
    return head + "".join(_row(one) for one in requirements)


def _row(one: Requirement) -> str:
    tests = "<br>".join(f"`{shown}`" for shown in one.shown_by)
    return f"| {one.ids} | {one.section} | {one.word} | {one.text} | {one.state} | {tests} |\n"


def _not_whole() -> str:
    """Say of everything that is not a plain yes, why."""
    remarked = [one for one in (*PUBLISHED, *BALLOT) if one.remark]
    lines = [f"- **{one.text}**{f' (I:{one.ids})' if one.ids else ''}, {one.state}: {one.remark}\n" for one in remarked]
    return "\n## Remarks\n\n" + "".join(lines)


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - the page is the output
