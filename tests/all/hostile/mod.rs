//! The hostile cases: what a guest, an upstream or a caller tries, and what must come of it. A file for each, by number.
//!
//! [`CASES`] is the list, and `cargo xtask hostile` reads it: number, sentence, and which tests show that the case holds.
//! Those of a case's own file are its tests; others are named here, by their functions, so that a name that is gone does
//! not compile. What every test ends with is the oracle of `harness.rs`.

#[path = "../../../host/ledger/tests/common/disk.rs"]
mod disk;
pub(crate) mod stores;

use portcullis_runtime::{CallError, Outcome};

/// A case.
struct Case {
    number: u32,
    /// What is tried.
    sentence: &'static str,
    /// The file with its own tests.
    module: &'static str,
    /// Tests that stand elsewhere.
    also: &'static [(&'static str, fn())],
}

macro_rules! cases {
    ($($number:literal $module:ident $sentence:literal $(also $first:ident $(:: $rest:ident)+)*;)+) => {
        $(mod $module;)+

        const CASES: &[Case] = &[$(Case {
            number: $number,
            sentence: $sentence,
            module: stringify!($module),
            also: &[$((
                concat!(stringify!($first) $(, "::", stringify!($rest))+),
                crate::$first $(:: $rest)+,
            )),*],
        }),+];
    };
}

cases! {
    1 case_01_endless_loops
        "an endless loop; a loop in `describe`, in a start function, in `cabi_realloc`, in a post-return";
    2 case_02_host_calls_in_a_row
        "work that burns little fuel per unit of time: ended by the deadline, not by fuel";
    3 case_03_waiting
        "sleeping, or waiting on an upstream that never answers: ended by wall clock"
        also sandbox::more_calls_than_there_are_places_wait_for_their_turn;
    4 case_04_memory
        "unbounded recursion; growing memory; growing tables; a 1 GiB list or string handed to a host function"
        also sandbox::an_output_that_is_too_large_is_a_bound;
    5 case_05_floods_of_arguments
        "`random.get-bytes(u64::MAX)`; 32,769 headers; header names and values with CR, LF or NUL";
    6 case_06_uploads
        "a file that is a core module, precompiled, truncated, bit-flipped, of another world, or imports what nobody links";
    7 case_07_floods_of_output
        "a flood on stdout, stderr and `log`, with terminal escape sequences in it";
    8 case_08_state
        "state from one call visible in the next call, or in another tenant's"
        also calls::calls_of_one_integration_run_side_by_side_and_see_nothing_of_each_other
        also sandbox::there_is_no_environment_and_describe_is_always_the_same;
    9 case_09_not_granted
        "a scheme, host, port, method or path that was not granted: no DNS query is made"
        also calls::an_operation_that_is_not_granted_does_not_start
        also calls::a_grant_holds_for_one_adapter_and_for_what_it_declares;
    10 case_10_forms_of_addresses
        "IPv4 in decimal, hex, octal and short forms; IPv4-mapped IPv6";
    11 case_11_special_addresses
        "link-local, metadata, loopback, private and other special addresses; the host's own listeners"
        also requests::an_address_of_the_hosts_own_is_not_dialled_even_where_it_is_public;
    12 case_12_names
        "a granted name that resolves inwards, or in and out; a name whose answer changes between check and connect";
    13 case_13_redirects
        "redirects to an ungranted host, scheme, port or path; loops; one that would carry a credential away"
        also redirects::a_hop_that_was_not_granted_is_a_denial_that_says_whence_it_came
        also redirects::a_loop_is_a_bound_and_every_hop_counts_as_a_request
        also redirects::a_credential_goes_on_only_where_the_hops_own_route_names_its_slot
        also redirects::a_secret_in_a_location_is_taken_out_before_it_is_read
        also redirects::a_redirect_from_https_to_http_is_followed_only_where_http_was_granted;
    14 case_14_spelling_of_urls
        "user info in a URL; upper case, trailing dots, default and odd ports; Unicode and punycode hosts";
    15 case_15_methods
        "TRACE, CONNECT, lower-case and invented methods; method-override headers";
    16 case_16_reserved_headers
        "reserved headers set by the guest; duplicates of the slot's own header";
    17 case_17_framing
        "a Content-Length that disagrees with the body; trailers; proxies in the environment";
    18 case_18_responses
        "an endless body, a gzip bomb, a header flood, one byte at a time, a reset halfway, a wrong Content-Length"
        also egress::a_request_body_that_is_too_large_is_not_sent;
    19 case_19_timeouts_and_certificates
        "timeouts of zero and of the largest integer; a certificate that is expired, self-signed or for another name";
    20 case_20_tenants
        "tenant A's connection, cookie or TLS session reused for tenant B"
        also secrets::life::the_connections_that_a_revoked_or_rotated_credential_used_are_closed;
    21 case_21_echoes
        "an upstream that echoes headers and body, and the secret base64, URL, hex or JSON encoded"
        also secrets::echoes::an_upstream_that_echoes_does_not_hand_over_tokens_keys_or_what_stands_in_paths_and_bodies
        also secrets::echoes::an_upstream_that_knows_every_secret_of_the_integration_cannot_tell_the_guest_one;
    22 case_22_credentials
        "one route's credential used on another; a slot name chosen by the guest; a handle kept after the call"
        also calls::a_missing_credential_is_named_and_nothing_is_sent
        also calls::rotation_takes_effect_on_the_next_request
        also secrets::routes::a_token_route_is_open_to_no_guest_and_to_no_caller
        also secrets::routes::where_the_token_endpoint_is_a_route_of_the_guests_too_it_gets_there_without_any_secret
        also secrets::routes::without_a_token_route_of_the_slots_own_nothing_is_asked_and_the_lines_to_add_are_told
        also secrets::routes::a_grant_that_opens_a_token_endpoint_of_nobodys_is_refused
        also secrets::life::a_revoked_credential_stops_the_request_on_its_way_and_the_next_one_within_a_tenth_of_a_second_under_load;
    23 case_23_places_to_leak
        "the secret in an error, a `Debug` print, a panic message, a trace, an API answer, an exported ledger"
        also calls::an_input_that_its_schema_does_not_allow_does_not_start_and_is_not_repeated
        also secrets::scan::no_file_log_export_event_or_receipt_has_a_secret_a_token_or_a_key_in_it
        also secrets::memory::no_memory_of_ours_has_a_secret_in_it_once_all_were_revoked_and_what_libraries_leave_is_known
        also secrets::servers::a_token_endpoint_that_echoes_what_it_knows_tells_nobody
        also secrets::servers::a_token_endpoint_that_floods_waits_or_redirects_gives_no_token_and_costs_nobody_else_anything
        also secrets::servers::a_token_endpoint_whose_name_leads_inside_is_not_asked
        also secrets::servers::a_token_endpoint_without_a_good_certificate_gets_no_secret;
    24 case_24_derived_tokens
        "an OAuth token shown to a guest; a hundred calls with an expired token causing more than one refresh"
        also secrets::life::a_hundred_parallel_calls_with_an_expired_token_cause_one_refresh
        also secrets::servers::a_value_beside_the_token_that_is_a_secret_is_not_read_by_the_guest
        also secrets::servers::a_token_that_is_refused_by_the_upstream_is_dropped_once_and_shown_to_nobody;
    25 case_25_sandbox_mode
        "sandbox mode: no packet, no DNS query, and the vault is not even asked to decrypt"
        also calls::sandbox_mode_says_what_would_be_sent_and_nothing_leaves
        also secrets::life::sandbox_mode_decrypts_nothing_and_asks_no_authorization_server;
    26 case_26_linear_memory
        "every linear memory of a guest, dumped after a call: the secret is not in it"
        also secrets::echoes::no_secret_and_no_token_is_in_a_byte_that_the_host_hands_to_a_guest;
    32 case_32_reading_back
        "reading a credential back by any route, with any role";
    33 case_33_damaged_stores
        "the wrong master key; a store file truncated, or with one byte flipped, anywhere: detected, named, never fewer records"
        also secrets::life::with_another_master_key_the_record_is_named_and_the_rest_goes_on
        also crash::damaged_files_are_told_and_never_answered_as_if_there_had_been_fewer_records;
    34 case_34_edited_records
        "a ledger record edited, removed from the middle, reordered, or copied from another workspace";
    35 case_35_full_disks
        "the disk full, or read-only, while calls run: calls fail closed, reads go on, and all goes on when there is space"
        also crash::on_a_disk_that_is_full_or_read_only_nothing_is_lost_reads_go_on_and_so_does_everything_later;
    36 case_36_kills
        "`kill -9` at any instant under load: everything acknowledged is there after restart"
        also crash::what_was_acknowledged_before_kill_9_is_there_after_a_restart
        also crash::what_was_acknowledged_before_a_power_cut_is_there_after_it;
    37 case_37_writers
        "sixty-four writers on one workspace: no lost update, no forked chain";
    38 case_38_what_authorises
        "a grant, a config, an adapter's name or a credential's header edited, swapped, put back or removed in the store"
        also state::kinds::every_kind_of_key_is_authenticated_or_decides_nothing
        also state::kinds::the_same_holds_on_every_engine_in_place_and_through_an_export
        also state::kinds::a_whole_state_that_is_put_back_does_not_start_and_neither_does_a_store_that_lost_it;
    39 case_39_compiled_code
        "compiled code of an attacker's under a granted digest: put in, swapped, of an older engine, under a key of their own";
    40 case_40_work_outside_fuel
        "work of the host outside of fuel: patterns over texts, lists, examples, references that double, big answers with many secrets";
    41 case_41_exports
        "an export that is cut, shortened or hashed anew; a signed head in it or elsewhere that says otherwise";
    42 case_42_words_of_guests
        "a guest or an upstream that writes a person's name, or what a terminal acts on, where it is recorded";
    43 case_43_stores_that_came_back_earlier
        "a store that was put back to an earlier copy, whole or in part, closed or killed, while signed heads or its anchor say more";
    44 case_44_files_of_others
        "a file of the host's that another user can open, a folder in which they can put something, under any umask";
    45 case_45_guesses
        "a guest that guesses a secret, and has an upstream that echoes say which guess was right";
    46 case_46_fields_of_the_body
        "lengths and hashes of a body that a secret was taken out of; a signature that comes back in an echo";
    47 case_47_odd_answers
        "an answer that no honest peer sends: another protocol, an unknown coding, JSON in UTF-16; a `?` that lists nothing";
    48 case_48_links
        "a link that nobody wrote, or wrote otherwise, elsewhere, in another call, or because a guest made it echo";
    49 case_49_clocks
        "a clock that is set back over an expired credential, or ahead over all that is to be kept";
    50 case_50_names
        "names that begin with `@`, `.` and `..`, patterns, separators, unseen characters, words that mean more than one";
    51 case_51_clocks_and_finds
        "clocks by which a guest tells how long the host searched, and so which few bytes of a secret it guessed";
    52 case_52_the_hosts_ceiling
        "the host's ceiling forgotten, said to be another, edited or taken away in the store";
    53 case_53_files_read_in_two_ways
        "a grant, ceiling, policy, config or input in which a name stands twice, in any spelling and at any depth; files without an end";
    54 case_54_names_of_slots
        "a name that some server reads as the one that a slot writes, in a query and in a body";
}

/// Prints the list for `cargo xtask hostile`, a line for each case and each of its tests elsewhere.
#[test]
fn the_list_of_cases() {
    // The harness has begun a line.
    println!();
    assert!(CASES.is_sorted_by(|one, next| one.number < next.number), "in order, each once");
    for case in CASES {
        let number = case.number;
        println!("case\t{number}\thostile::{}::\t{}", case.module, case.sentence);
        for (test, _) in case.also {
            println!("also\t{number}\t{test}");
        }
    }
}

/// The bound that a call hit.
fn bound(outcome: &Outcome) -> &'static str {
    match outcome.result.as_ref().unwrap_err() {
        CallError::Bound { name, .. } => name,
        other => panic!("{other:?}"),
    }
}
