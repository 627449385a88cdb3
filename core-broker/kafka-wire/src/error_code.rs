//! Every error code of the protocol, as of Kafka 4.2.

use std::fmt;

macro_rules! error_codes {
    ($($code:literal $name:ident $($retriable:ident)?,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(i16)]
        pub enum ErrorCode {
            #[default]
            None = 0,
            $($name = $code,)*
        }

        impl ErrorCode {
            /// All but `None`.
            pub const ALL: &[ErrorCode] = &[$(ErrorCode::$name),*];

            /// A code that is not known is an unknown error, as in the Java client.
            pub fn from_code(code: i16) -> ErrorCode {
                match code {
                    0 => ErrorCode::None,
                    $($code => ErrorCode::$name,)*
                    _ => ErrorCode::UnknownServerError,
                }
            }

            /// The same request may succeed later, perhaps at another broker.
            pub fn retriable(self) -> bool {
                match self {
                    $($(ErrorCode::$name => is!($retriable),)?)*
                    _ => false,
                }
            }
        }
    };
}

macro_rules! is {
    (retriable) => {
        true
    };
}

error_codes! {
    -1  UnknownServerError,
    1   OffsetOutOfRange,
    2   CorruptMessage retriable,
    3   UnknownTopicOrPartition retriable,
    4   InvalidFetchSize,
    5   LeaderNotAvailable retriable,
    6   NotLeaderOrFollower retriable,
    7   RequestTimedOut retriable,
    8   BrokerNotAvailable,
    9   ReplicaNotAvailable retriable,
    10  MessageTooLarge,
    11  StaleControllerEpoch,
    12  OffsetMetadataTooLarge,
    13  NetworkException retriable,
    14  CoordinatorLoadInProgress retriable,
    15  CoordinatorNotAvailable retriable,
    16  NotCoordinator retriable,
    17  InvalidTopicException,
    18  RecordListTooLarge,
    19  NotEnoughReplicas retriable,
    20  NotEnoughReplicasAfterAppend retriable,
    21  InvalidRequiredAcks,
    22  IllegalGeneration,
    23  InconsistentGroupProtocol,
    24  InvalidGroupId,
    25  UnknownMemberId,
    26  InvalidSessionTimeout,
    27  RebalanceInProgress,
    28  InvalidCommitOffsetSize,
    29  TopicAuthorizationFailed,
    30  GroupAuthorizationFailed,
    31  ClusterAuthorizationFailed,
    32  InvalidTimestamp,
    33  UnsupportedSaslMechanism,
    34  IllegalSaslState,
    35  UnsupportedVersion,
    36  TopicAlreadyExists,
    37  InvalidPartitions,
    38  InvalidReplicationFactor,
    39  InvalidReplicaAssignment,
    40  InvalidConfig,
    41  NotController retriable,
    42  InvalidRequest,
    43  UnsupportedForMessageFormat,
    44  PolicyViolation,
    45  OutOfOrderSequenceNumber,
    46  DuplicateSequenceNumber,
    47  InvalidProducerEpoch,
    48  InvalidTxnState,
    49  InvalidProducerIdMapping,
    50  InvalidTransactionTimeout,
    51  ConcurrentTransactions retriable,
    52  TransactionCoordinatorFenced,
    53  TransactionalIdAuthorizationFailed,
    54  SecurityDisabled,
    55  OperationNotAttempted,
    56  KafkaStorageError retriable,
    57  LogDirNotFound,
    58  SaslAuthenticationFailed,
    59  UnknownProducerId,
    60  ReassignmentInProgress,
    61  DelegationTokenAuthDisabled,
    62  DelegationTokenNotFound,
    63  DelegationTokenOwnerMismatch,
    64  DelegationTokenRequestNotAllowed,
    65  DelegationTokenAuthorizationFailed,
    66  DelegationTokenExpired,
    67  InvalidPrincipalType,
    68  NonEmptyGroup,
    69  GroupIdNotFound,
    70  FetchSessionIdNotFound retriable,
    71  InvalidFetchSessionEpoch retriable,
    72  ListenerNotFound retriable,
    73  TopicDeletionDisabled,
    74  FencedLeaderEpoch retriable,
    75  UnknownLeaderEpoch retriable,
    76  UnsupportedCompressionType,
    77  StaleBrokerEpoch,
    78  OffsetNotAvailable retriable,
    79  MemberIdRequired,
    80  PreferredLeaderNotAvailable retriable,
    81  GroupMaxSizeReached,
    82  FencedInstanceId,
    83  EligibleLeadersNotAvailable retriable,
    84  ElectionNotNeeded retriable,
    85  NoReassignmentInProgress,
    86  GroupSubscribedToTopic,
    87  InvalidRecord,
    88  UnstableOffsetCommit retriable,
    89  ThrottlingQuotaExceeded retriable,
    90  ProducerFenced,
    91  ResourceNotFound,
    92  DuplicateResource,
    93  UnacceptableCredential,
    94  InconsistentVoterSet,
    95  InvalidUpdateVersion,
    96  FeatureUpdateFailed,
    97  PrincipalDeserializationFailure,
    98  SnapshotNotFound,
    99  PositionOutOfRange,
    100 UnknownTopicId retriable,
    101 DuplicateBrokerRegistration,
    102 BrokerIdNotRegistered,
    103 InconsistentTopicId retriable,
    104 InconsistentClusterId,
    105 TransactionalIdNotFound,
    106 FetchSessionTopicIdError retriable,
    107 IneligibleReplica,
    108 NewLeaderElected,
    109 OffsetMovedToTieredStorage,
    110 FencedMemberEpoch,
    111 UnreleasedInstanceId,
    112 UnsupportedAssignor,
    113 StaleMemberEpoch,
    114 MismatchedEndpointType,
    115 UnsupportedEndpointType,
    116 UnknownControllerId,
    117 UnknownSubscriptionId,
    118 TelemetryTooLarge,
    119 InvalidRegistration,
    120 TransactionAbortable,
    121 InvalidRecordState,
    122 ShareSessionNotFound retriable,
    123 InvalidShareSessionEpoch retriable,
    124 FencedStateEpoch,
    125 InvalidVoterKey,
    126 DuplicateVoter,
    127 VoterNotFound,
    128 InvalidRegularExpression,
    129 RebootstrapRequired,
    130 StreamsInvalidTopology,
    131 StreamsInvalidTopologyEpoch,
    132 StreamsTopologyFenced,
    133 ShareSessionLimitReached retriable,
}

impl ErrorCode {
    pub fn code(self) -> i16 {
        self as i16
    }

    pub fn is_ok(self) -> bool {
        self == ErrorCode::None
    }
}

/// Kafka's spelling: `NOT_LEADER_OR_FOLLOWER`.
impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, letter) in format!("{self:?}").chars().enumerate() {
            if i > 0 && letter.is_ascii_uppercase() {
                f.write_str("_")?;
            }
            write!(f, "{}", letter.to_ascii_uppercase())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kafka_protocol::ResponseError;

    use super::*;

    #[test]
    fn codes_have_no_gap_and_come_back() {
        for (code, expected) in (1i16..).zip(&ErrorCode::ALL[1..]) {
            assert_eq!(expected.code(), code);
            assert_eq!(ErrorCode::from_code(code), *expected);
        }
        assert_eq!(ErrorCode::from_code(-1), ErrorCode::UnknownServerError);
        assert_eq!(ErrorCode::from_code(30_000), ErrorCode::UnknownServerError);
        assert!(ErrorCode::from_code(0).is_ok());
    }

    #[test]
    fn names_and_retriability_are_those_of_the_oracle() {
        for error in ErrorCode::ALL {
            let theirs = ResponseError::try_from_code(error.code()).unwrap();
            if matches!(theirs, ResponseError::Unknown(_)) {
                continue;
            }
            assert_eq!(format!("{error:?}"), format!("{theirs:?}"));
            // Retriable since Kafka 4.0 (KIP-1050); the oracle has an older table.
            if *error != ErrorCode::ConcurrentTransactions {
                assert_eq!(error.retriable(), theirs.is_retriable(), "{error}");
            }
        }
    }

    #[test]
    fn displays_as_kafka_prints_it() {
        assert_eq!(ErrorCode::NotLeaderOrFollower.to_string(), "NOT_LEADER_OR_FOLLOWER");
    }
}
