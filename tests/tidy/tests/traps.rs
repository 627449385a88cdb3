//! What broke other brokers and their clients, and the tests that keep it from breaking ours: each exists, and
//! each test that is named after a trap stands here.

use std::collections::{BTreeMap, BTreeSet};

/// Traps of replication and of transactions are not here: they come with these.
const TRAPS: &[(u32, &str, &[&str])] = &[
    (
        1,
        "the answer to ApiVersions has a header without tags; a version of the future is answered in version 0",
        &[
            "trap_1_api_versions_is_answered_before_versions_are_known",
            "trap_1_an_unknown_version_of_api_versions_is_answered_in_version_0_with_what_there_is",
            "trap_1_software_without_a_proper_name_is_told_so",
        ],
    ),
    (2, "a tag at its default, or from before its version, is not on the wire", &["trap_2_tagged_fields"]),
    (
        3,
        "tags are sent in ascending order",
        &["trap_3_order_of_tags", "trap_3_tags_in_any_order_and_bytes_after_a_message_change_nothing"],
    ),
    (
        4,
        "the records of an error are empty, not null",
        &[
            "trap_4_null_and_empty",
            "trap_8_and_4_an_answer_prefers_no_replica_and_has_records_that_are_empty_not_null",
        ],
    ),
    (
        5,
        "a fetch inside a batch gives the whole batch",
        &[
            "trap_5_a_fetch_inside_a_batch_gives_the_whole_batch",
            "a_read_gives_whole_batches_from_the_one_that_holds_the_offset",
        ],
    ),
    (
        6,
        "the first batch comes however large; partitions in the order of the request",
        &["trap_6_the_first_batch_comes_however_large_and_the_others_in_the_order_asked_for"],
    ),
    (
        7,
        "a topic made again has another id, and who knows the old one hears UNKNOWN_TOPIC_ID",
        &[
            "trap_7_topic_ids",
            "trap_7_a_deleted_topic_is_gone_at_once_and_one_of_the_same_name_is_another",
            "trap_7_what_is_sent_to_an_old_id_never_comes_into_the_topic_that_has_the_name",
            "trap_07_a_topic_that_was_made_again_has_another_id_and_the_old_one_is_unknown",
        ],
    ),
    (
        8,
        "the preferred replica is -1",
        &[
            "trap_8_preferred_read_replica",
            "trap_8_and_4_an_answer_prefers_no_replica_and_has_records_that_are_empty_not_null",
        ],
    ),
    (
        9,
        "a fetch is answered within its time, and woken by what comes",
        &["trap_9_a_fetch_is_answered_when_records_come_and_never_later_than_it_may_wait"],
    ),
    (
        10,
        "an offset comes with the epoch of its record",
        &[
            "trap_10_epoch_of_an_offset",
            "trap_10_an_offset_comes_with_the_epoch_of_its_record_and_not_with_the_leaders",
        ],
    ),
    (
        11,
        "committed epoch and metadata come back",
        &["trap_11_committed_epoch_and_metadata", "trap_11_epoch_and_metadata_come_back"],
    ),
    (
        12,
        "who knows another leader epoch is fenced",
        &["trap_12_current_epoch", "trap_12_a_fetch_that_knows_another_epoch_looks_again"],
    ),
    (
        13,
        "duplicates, bumped epochs, forgotten producers",
        &[
            "trap_13_a_batch_sent_twice_has_its_first_offset_and_an_epoch_may_be_bumped",
            "trap_13_what_is_known_of_producers_survives_compaction_and_a_power_cut",
            "trap_13_what_is_known_of_producers_survives_delete_records",
            "trap_13_what_is_known_of_producers_survives_retention_and_a_power_cut",
        ],
    ),
    (
        14,
        "the timeout of a transaction is bounded",
        &["trap_14_a_transaction_may_not_time_out_later_than_the_broker_allows"],
    ),
    (
        15,
        "a first join is sent back for its id, and who never comes back expires",
        &[
            "trap_15_a_pending_member_that_never_comes_back_expires",
            "trap_15_an_id_that_was_given_leaves_no_group_behind",
            "trap_15_first_join_is_sent_back_for_its_id",
        ],
    ),
    (
        16,
        "static members come back without a rebalance, all their properties anew",
        &[
            "trap_16_a_changed_subscription_rebalances",
            "trap_16_a_restarted_member_takes_its_seat_without_a_rebalance",
            "trap_16_a_static_member_that_restarts_has_its_partitions_and_the_others_notice_nothing",
            "trap_16_all_properties_of_the_member_are_updated",
            "trap_16_the_older_process_is_fenced",
        ],
    ),
    (
        17,
        "empty assignments, commits during a rebalance, stale generations",
        &[
            "trap_17_empty_assignment",
            "trap_17_a_commit_waits_for_the_assignment",
            "trap_17_a_member_the_leader_forgot_is_given_nothing",
            "trap_17_a_stale_generation_is_illegal_not_rebalancing",
            "trap_17_who_speaks_to_what_it_is_not_part_of",
        ],
    ),
    (
        18,
        "groups of KIP-848 are not served, and so not listed",
        &[
            "trap_18_groups_that_the_broker_assigns_are_not_advertised",
            "trap_24_versions_and_keys_that_are_not_served_close_the_connection",
        ],
    ),
    (
        19,
        "all topics, no topic, and a topic made by naming it",
        &["trap_19_all_topics_and_no_topic", "trap_19_naming_a_topic_creates_it_only_where_that_is_allowed"],
    ),
    (
        20,
        "codecs: zstd for whom knows it, snappy's framing, bombs",
        &[
            "trap_20_a_batch_that_would_become_a_gigabyte_is_refused_before_it_does",
            "trap_20_zstd_is_for_clients_that_know_it",
            "snappy_without_framing_is_read",
            "framing_is_that_of_the_java_library",
        ],
    ),
    (
        21,
        "what a consumer could not read is not stored",
        &[
            "trap_21_a_batch_that_a_consumer_could_not_read_is_refused_with_kafkas_code",
            "a_compacted_topic_keeps_the_last_of_each_key_and_what_is_known_of_its_producer",
        ],
    ),
    (
        22,
        "no answer without acks, and an error closes the connection",
        &["trap_22_without_acks_there_is_no_answer_and_an_error_closes_the_connection"],
    ),
    (
        23,
        "a client over its quota is answered first",
        &["trap_23_a_client_over_its_quota_is_answered_first_and_then_left_alone"],
    ),
    (
        24,
        "a version that is not served closes the connection",
        &["trap_24_versions_and_keys_that_are_not_served_close_the_connection"],
    ),
    (
        25,
        "clients of Kafka 4.4 send ApiVersions in version 5",
        &["trap_1_an_unknown_version_of_api_versions_is_answered_in_version_0_with_what_there_is"],
    ),
    (
        26,
        "every config is described",
        &[
            "trap_26_every_config",
            "trap_26_each_config_has_a_value_a_source_and_its_synonyms",
            "trap_26_every_config_is_described_and_survives_a_restart",
        ],
    ),
    (
        27,
        "configs are appended to and subtracted from",
        &[
            "trap_27_alterations",
            "trap_27_a_list_is_appended_to_what_is_in_force",
            "trap_27_admins_append_at_once_and_nonsense_harms_nobody",
            "trap_27_appending_and_subtracting_change_a_list_and_nothing_else",
        ],
    ),
    (28, "localhost is IPv6 as well", &["trap_28_localhost_is_served_on_ipv6_and_ipv4_and_named_to_clients"]),
    (
        29,
        "fetch sessions may be refused",
        &["trap_29_a_request_without_a_session_is_answered_in_full_with_session_0"],
    ),
    (
        30,
        "an error names the leader and where it is",
        &["trap_30_leader_hints", "trap_30_an_error_names_the_leader_and_where_it_is"],
    ),
];

/// Names of functions and modules in all the Rust code, but for this file.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for folder in ["core-broker", "tests"] {
        for (path, text) in tidy::rust_files(folder) {
            if path.ends_with("tidy/tests/traps.rs") {
                continue;
            }
            for line in text.lines() {
                let line = line.trim_start().trim_start_matches("pub ").trim_start_matches("async ");
                let Some(rest) = line.strip_prefix("fn ").or_else(|| line.strip_prefix("mod ")) else {
                    continue;
                };
                let end =
                    rest.find(|next: char| !next.is_alphanumeric() && next != '_').unwrap_or(rest.len());
                names.insert(rest[..end].to_owned());
            }
        }
    }
    names
}

#[test]
fn every_trap_has_tests_and_they_are_there() {
    let names = names();
    let numbers: Vec<u32> = TRAPS.iter().map(|(number, ..)| *number).collect();
    assert_eq!(numbers, (1..=30).collect::<Vec<u32>>());
    for (number, trap, tests) in TRAPS {
        assert!(!tests.is_empty(), "trap {number}, {trap}: no test");
        for test in *tests {
            assert!(names.contains(*test), "trap {number}, {trap}: there is no {test}");
        }
    }
}

#[test]
fn every_test_that_is_named_after_a_trap_is_listed_under_it() {
    let listed: BTreeMap<u32, &[&str]> = TRAPS.iter().map(|(number, _, tests)| (*number, *tests)).collect();
    for name in names() {
        let Some(rest) = name.strip_prefix("trap_") else { continue };
        let number = rest.split('_').next().and_then(|number| number.parse().ok());
        let number: u32 = number.unwrap_or_else(|| panic!("{name} does not say which trap"));
        let tests = listed.get(&number).unwrap_or_else(|| panic!("{name}: there is no trap {number}"));
        assert!(tests.contains(&name.as_str()), "{name} is not listed under trap {number}");
    }
}
