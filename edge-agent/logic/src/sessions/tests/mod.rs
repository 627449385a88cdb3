//! Scripts: what the sessions are told, and what they want done.

mod chance;
mod exactly_once;
mod script;

use script::check;

#[test]
fn acks_only_after_the_disk_has_it() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps here q1 7", "ingest#1 truck gps here"),
        ("1 PINGREQ", "1<PINGRESP"),
        ("after 5", ""),
        ("committed 1", "1<PUBACK 7 0x00"),
        ("committed 1", ""),
    ]);
}

#[test]
fn qos_0_is_kept_and_not_answered() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps here q0", "ingest#1 truck gps here"),
        ("committed 1", ""),
    ]);
}

#[test]
fn pubacks_leave_in_the_order_of_the_publishes() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#1 truck gps a"),
        ("1 PUBLISH gps b q1 3", "ingest#2 truck gps b"),
        ("1 PUBLISH gps c q1 5", "ingest#3 truck gps c"),
        ("committed 3", ""),
        ("committed 1", "1<PUBACK 7 0x00"),
        ("committed 2", "1<PUBACK 3 0x00; 1<PUBACK 5 0x00"),
    ]);
}

#[test]
fn a_persistent_session_is_on_disk_before_connack() {
    for connect in ["1 CONNECT v3 truck", "1 CONNECT v4 truck", "1 CONNECT v5 truck clean expiry=60"] {
        check(&[
            ("1 connects", ""),
            (connect, "save#1 truck []"),
            ("1 PUBLISH gps here q1 7", ""),
            ("committed 1", "1<CONNACK new 0x00; ingest#2 truck gps here slot=0"),
            ("committed 2", "1<PUBACK 7 0x00"),
            ("crash", ""),
            ("2 connects", ""),
            ("2 CONNECT v5 truck expiry=60", "*"),
            ("committed 1", "*"),
            ("2 PINGREQ", "2<PINGRESP"),
        ]);
    }
}

#[test]
fn session_present_is_true_after_a_crash() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("crash", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "2<CONNACK resumed 0x00"),
    ]);
}

#[test]
fn a_session_that_was_not_synced_is_not_there_after_a_crash() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("crash", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "2<CONNACK new 0x00"),
    ]);
}

#[test]
fn a_resend_after_a_crash_is_not_stored_twice() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#2 truck gps a slot=0"),
        ("1 PUBLISH gps b q1 8", "ingest#3 truck gps b slot=1"),
        ("committed 2", "1<PUBACK 7 0x00"),
        ("crash", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "2<CONNACK resumed 0x00"),
        ("2 PUBLISH gps a q1 7 dup", "2<PUBACK 7 0x00"),
        ("2 PUBLISH gps b q1 8 dup", "ingest#1 truck gps b slot=1"),
        ("committed 1", "2<PUBACK 8 0x00"),
    ]);
}

#[test]
fn a_resend_is_known_without_dup_but_only_at_the_first_use_of_its_id() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 PUBLISH state on q1 7", "ingest#2 truck state on slot=0"),
        ("committed 2", "1<PUBACK 7 0x00"),
        ("1 PUBLISH state on q1 7", "ingest#3 truck state on slot=1"),
        ("committed 3", "1<PUBACK 7 0x00"),
        ("1 closed", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "2<CONNACK resumed 0x00"),
        ("2 PUBLISH state on q1 7", "2<PUBACK 7 0x00"),
        ("2 PUBLISH state on q1 7", "ingest#4 truck state on slot=2"),
    ]);
}

#[test]
fn a_dup_with_another_payload_is_another_event() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#2 truck gps a slot=0"),
        ("committed 2", "1<PUBACK 7 0x00"),
        ("1 closed", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "2<CONNACK resumed 0x00"),
        ("2 PUBLISH gps b q1 7 dup", "ingest#3 truck gps b slot=1"),
    ]);
}

#[test]
fn a_resend_joins_the_commit_that_is_pending() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#2 truck gps a slot=0"),
        ("1 closed", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "2<CONNACK resumed 0x00"),
        ("2 PUBLISH gps a q1 7", ""),
        ("2 PUBLISH gps a q1 7 dup", ""),
        ("committed 2", "2<PUBACK 7 0x00"),
    ]);
}

#[test]
fn a_commit_between_reconnect_and_resend_is_remembered() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#2 truck gps a slot=0"),
        ("1 closed", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "2<CONNACK resumed 0x00"),
        ("committed 2", ""),
        ("2 PUBLISH gps a q1 7", "2<PUBACK 7 0x00"),
    ]);
}

#[test]
fn a_clean_session_remembers_nothing() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#1 truck gps a"),
        ("1 closed", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck clean", "2<CONNACK new 0x00"),
        ("2 PUBLISH gps a q1 7 dup", "ingest#2 truck gps a"),
        ("committed 1", ""),
        ("committed 2", "2<PUBACK 7 0x00"),
    ]);
}

#[test]
fn a_clean_start_deletes_what_was_kept_before_connack() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 DISCONNECT", "1 closes: the client disconnected"),
        ("2 connects", ""),
        ("2 CONNECT v4 truck clean", "delete#2 truck"),
        ("committed 2", "2<CONNACK new 0x00"),
        ("crash", ""),
        ("3 connects", ""),
        ("3 CONNECT v4 truck", "save#1 truck []"),
    ]);
}

#[test]
fn a_failed_commit_is_not_acknowledged_and_the_client_keeps_its_event() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#1 truck gps a"),
        ("failed 1", "1<DISCONNECT 0x97; 1 closes: the store could not keep what it sent"),
    ]);
}

#[test]
fn what_was_taken_before_a_failure_is_still_acknowledged_and_nothing_is_taken_behind_it() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#1 truck gps a"),
        ("1 PUBLISH gps b q1 8", "ingest#2 truck gps b"),
        ("failed 2", ""),
        ("1 PUBLISH gps c q1 9", ""),
        (
            "committed 1",
            "1<PUBACK 7 0x00; 1<DISCONNECT 0x97; 1 closes: the store could not keep what it sent",
        ),
    ]);
}

#[test]
fn a_failed_save_refuses_the_connection() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("failed 1", "1<CONNACK new 0x88; 1 closes: the store could not keep what it sent"),
    ]);
}

#[test]
fn a_session_whose_save_failed_is_saved_at_the_next_connect() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("failed 1", "1<CONNACK new 0x88; 1 closes: the store could not keep what it sent"),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", "save#2 truck []"),
        ("committed 2", "2<CONNACK resumed 0x00"),
    ]);
}

#[test]
fn a_reconnect_waits_for_the_save_that_its_predecessor_began() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("1 closed", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 truck", ""),
        ("committed 1", "2<CONNACK resumed 0x00"),
    ]);
}

#[test]
fn a_rejection_is_said_in_version_5_and_acknowledged_before_it() {
    for (connect, puback) in
        [("1 CONNECT v5 truck clean", "1<PUBACK 7 0x90"), ("1 CONNECT v4 truck clean", "1<PUBACK 7 0x00")]
    {
        check(&[
            ("1 connects", ""),
            (connect, "1<CONNACK new 0x00"),
            ("1 PUBLISH nowhere a q1 7", "ingest#1 truck nowhere a"),
            ("rejected 1 90", puback),
        ]);
    }
}

#[test]
fn qos_2_is_not_served() {
    for (connect, end) in [
        (
            "1 CONNECT v5 truck clean",
            "1<DISCONNECT 0x9b; 1 closes: it published with QoS 2, which is not served",
        ),
        ("1 CONNECT v4 truck clean", "1 closes: it published with QoS 2, which is not served"),
    ] {
        check(&[
            ("1 connects", ""),
            (connect, "1<CONNACK new 0x00"),
            ("1 SUBSCRIBE 1 a q2", "1<SUBACK 1 0x01; wants truck"),
            ("1 PUBLISH gps a q2 7", end),
        ]);
    }
}

#[test]
fn a_client_id_that_connects_again_takes_the_session_over() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck expiry=60", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 7", "ingest#2 truck gps a slot=0"),
        ("2 connects", ""),
        (
            "2 CONNECT v5 truck expiry=60",
            "1<DISCONNECT 0x8e; 1 closes: its client id connected again; 2<CONNACK resumed 0x00",
        ),
        ("1 PUBLISH gps x q1 9", ""),
        ("1 closed", ""),
        ("2 PUBLISH gps a q1 7", ""),
        ("committed 2", "2<PUBACK 7 0x00"),
    ]);
}

#[test]
fn another_principal_does_not_take_over() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 truck", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("2 connects as:thief", ""),
        ("2 CONNECT v4 truck", "2<CONNACK new 0x87; 2 closes: refused: 0x87 (not authorized)"),
        ("1 PINGREQ", "1<PINGRESP"),
    ]);
}

#[test]
fn connect_comes_first_in_time_and_once() {
    check(&[
        ("1 connects", ""),
        ("1 PINGREQ", "1 closes: its first packet is not CONNECT"),
        ("2 connects", ""),
        ("after 9", ""),
        ("after 1", "2 closes: no CONNECT came in time"),
        ("3 connects", ""),
        ("3 CONNECT v5 truck clean", "3<CONNACK new 0x00"),
        ("3 CONNECT v5 truck clean", "3<DISCONNECT 0x82; 3 closes: a second CONNECT came"),
    ]);
}

#[test]
fn silence_ends_after_one_and_a_half_keep_alives() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck clean keep=10", "1<CONNACK new 0x00"),
        ("after 14", ""),
        ("1 PINGREQ", "1<PINGRESP"),
        ("after 14", ""),
        ("after 1", "1<DISCONNECT 0x8d; 1 closes: it was silent for one and a half times its keep alive"),
        ("2 connects", ""),
        ("2 CONNECT v4 watch clean keep=0", "2<CONNACK new 0x00"),
        ("after 1000000", ""),
    ]);
}

#[test]
fn client_ids() {
    let refused = "1<CONNACK new 0x85; 1 closes: refused: 0x85 (client identifier not valid)";
    for (connect, expected) in [
        ("1 CONNECT v5 - clean", "1<CONNACK new 0x00 id=gen-1"),
        ("1 CONNECT v4 - clean", "1<CONNACK new 0x00"),
        ("1 CONNECT v4 -", refused),
        ("1 CONNECT v3 - clean", refused),
        ("1 CONNECT v4 a\u{7}b clean", refused),
        ("1 CONNECT v4 long clean", refused),
    ] {
        check(&[("1 connects", ""), (connect, expected)]);
    }
}

#[test]
fn wills() {
    let connected = ("1 connects", "");
    check(&[
        connected,
        ("1 CONNECT v4 truck clean will=lwt:gone", "1<CONNACK new 0x00"),
        ("1 closed", "will#1 truck lwt gone"),
    ]);
    check(&[
        connected,
        ("1 CONNECT v4 truck clean will=lwt:gone", "1<CONNACK new 0x00"),
        ("1 DISCONNECT", "1 closes: the client disconnected"),
        ("1 closed", ""),
    ]);
    check(&[
        connected,
        ("1 CONNECT v5 truck clean will=lwt:gone", "1<CONNACK new 0x00"),
        ("1 DISCONNECT with-will", "1 closes: the client disconnected; will#1 truck lwt gone"),
    ]);
    check(&[
        connected,
        ("1 CONNECT v5 truck expiry=60 will=lwt:gone delay=5", "save#1 truck []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 closed", ""),
        ("after 4", ""),
        ("2 connects", ""),
        ("2 CONNECT v5 truck expiry=60 will=lwt:gone delay=5", "2<CONNACK resumed 0x00"),
        ("2 closed", ""),
        ("after 4", ""),
        ("after 1", "will#2 truck lwt gone"),
        ("after 54", ""),
        ("after 1", "delete#3 truck"),
    ]);
}

#[test]
fn limits() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 1", "ingest#1 truck gps a"),
        ("1 PUBLISH gps a q1 2", "ingest#2 truck gps a"),
        ("1 PUBLISH gps a q1 3", "ingest#3 truck gps a"),
        ("1 PUBLISH gps a q0", "ingest#4 truck gps a"),
        ("1 PUBLISH gps a q0", "ingest#5 truck gps a"),
        ("1 PUBLISH gps a q0", "ingest#6 truck gps a"),
        ("1 PUBLISH gps a q0", ""),
        ("1 SUBSCRIBE 1 a q1", "1<SUBACK 1 0x01; wants truck"),
        ("1 SUBSCRIBE 2 b q1", "1<SUBACK 2 0x01; wants truck"),
        ("1 SUBSCRIBE 3 c q1", "1<SUBACK 3 0x97"),
        ("1 SUBSCRIBE 4 $share/g/c q1", "1<SUBACK 4 0x9e"),
        (
            "1 PUBLISH gps a q1 4",
            "1<DISCONNECT 0x93; 1 closes: it has more unacknowledged than the receive maximum",
        ),
        ("2 connects", ""),
        ("3 connects", ""),
        ("4 connects", ""),
        ("5 connects", "5 closes: there are too many connections"),
    ]);
}

#[test]
fn a_client_that_comes_back_again_and_again_does_not_fill_the_memory() {
    let mut script = vec![];
    let inputs: Vec<[String; 5]> = (0..5_u64)
        .map(|conn| {
            [
                format!("{conn} connects"),
                format!("{conn} CONNECT v4 truck clean"),
                format!("{conn} PUBLISH gps a q1 1"),
                format!("{conn} PUBLISH gps b q1 2"),
                format!("{conn} PUBLISH gps c q1 3"),
            ]
        })
        .collect();
    for inputs in &inputs[..4] {
        script.extend(inputs.iter().map(|input| (input.as_str(), "*")));
    }
    script.push((&inputs[4][0], ""));
    script.push((&inputs[4][1], "3 closes: its client id connected again; 4<CONNACK new 0x00"));
    script.push(("4 PUBLISH gps a q0", ""));
    script.push((&inputs[4][2], "4 closes: too many events wait for the store"));
    check(&script);
}

#[test]
fn an_id_in_use_does_not_carry_another_event() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 truck clean", "1<CONNACK new 0x00"),
        ("1 PUBLISH gps a q1 1", "ingest#1 truck gps a"),
        ("1 PUBLISH gps b q1 1", "1<DISCONNECT 0x82; 1 closes: it used a packet id again before its PUBACK"),
    ]);
}

#[test]
fn a_subscription_is_on_disk_before_its_suback() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 cab", "save#1 cab []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 SUBSCRIBE 5 cab/+ q1", "save#2 cab [cab/+]; wants cab"),
        ("committed 2", "1<SUBACK 5 0x01"),
        ("crash", ""),
        ("2 connects", ""),
        ("2 CONNECT v4 cab", "2<CONNACK resumed 0x00; wants cab"),
        ("deliver 9 cab/alert break q1", "2<PUBLISH cab/alert break 1"),
        ("2 PUBACK 1", "delivered 9 cab"),
        ("2 UNSUBSCRIBE 6 cab/+", "save#1 cab []"),
        ("committed 1", "2<UNSUBACK 6 0x00"),
        ("deliver 10 cab/alert break q1", "nobody 10"),
    ]);
}

#[test]
fn an_alert_is_sent_again_until_the_cab_has_it() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 cab", "save#1 cab []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 SUBSCRIBE 5 cab/# q1", "save#2 cab [cab/#]; wants cab"),
        ("committed 2", "1<SUBACK 5 0x01"),
        ("deliver 9 cab/alert break q1", "1<PUBLISH cab/alert break 1"),
        ("deliver 9 cab/alert break q1", ""),
        ("1 closed", ""),
        ("deliver 10 cab/alert late q1", "deferred 10 cab"),
        ("2 connects", ""),
        ("2 CONNECT v4 cab", "2<CONNACK resumed 0x00; 2<PUBLISH cab/alert break 1 dup; wants cab"),
        ("deliver 10 cab/alert late q1", "2<PUBLISH cab/alert late 2"),
        ("2 PUBACK 1", "delivered 9 cab; wants cab"),
        ("2 PUBACK 2", "delivered 10 cab"),
        ("2 PUBACK 2", ""),
    ]);
}

#[test]
fn an_expired_alert_is_not_sent() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 cab", "save#1 cab []"),
        ("committed 1", "1<CONNACK new 0x00"),
        ("1 SUBSCRIBE 5 cab/# q1", "save#2 cab [cab/#]; wants cab"),
        ("committed 2", "1<SUBACK 5 0x01"),
        ("deliver 9 cab/alert break q1 ttl=30", "1<PUBLISH cab/alert break 1"),
        ("1 closed", ""),
        ("after 30", ""),
        ("deliver 10 cab/alert late q1 ttl=0", "undeliverable 10 cab Expired"),
        ("2 connects", ""),
        ("2 CONNECT v4 cab", "2<CONNACK resumed 0x00; undeliverable 9 cab Expired; wants cab"),
    ]);
}

#[test]
fn a_busy_client_defers_and_asks_again() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 cab clean max=1", "1<CONNACK new 0x00"),
        ("1 SUBSCRIBE 5 cab/# q1", "1<SUBACK 5 0x01; wants cab"),
        ("deliver 9 cab/a x q1", "1<PUBLISH cab/a x 1"),
        ("deliver 10 cab/a y q1", "deferred 10 cab"),
        ("1 PUBACK 1", "delivered 9 cab; wants cab"),
        ("deliver 10 cab/a y q1", "1<PUBLISH cab/a y 2"),
        ("1 closed", "deferred 10 cab"),
    ]);
}

#[test]
fn a_message_goes_out_at_the_lower_qos() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v4 cab clean", "1<CONNACK new 0x00"),
        ("1 SUBSCRIBE 5 cab/# q0", "1<SUBACK 5 0x00; wants cab"),
        ("deliver 9 cab/a x q1", "1<PUBLISH cab/a x; delivered 9 cab"),
    ]);
}

#[test]
fn devices_hear_each_other_after_the_commit() {
    check(&[
        ("1 connects", ""),
        ("1 CONNECT v5 cab clean", "1<CONNACK new 0x00"),
        ("1 SUBSCRIBE 5 fleet/# q1", "1<SUBACK 5 0x01; wants cab"),
        ("2 connects", ""),
        ("2 CONNECT v4 truck clean", "2<CONNACK new 0x00"),
        ("2 PUBLISH fleet/gps here q1 7", "ingest#1 truck fleet/gps here"),
        ("committed 1", "2<PUBACK 7 0x00; 1<PUBLISH fleet/gps here 1"),
        ("2 PUBLISH fleet/gps here q0", "ingest#2 truck fleet/gps here"),
        ("committed 2", "1<PUBLISH fleet/gps here"),
        ("1 PUBACK 1", ""),
    ]);
}
