//! What is spoken: every API with its key, the versions served, and the first flexible one.

mod enums;

use std::ops::RangeInclusive;

use enums::apis;

use crate::field::Field;
use crate::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::messages::create_topics::{CreateTopicsRequest, CreateTopicsResponse};
use crate::messages::delete_topics::{DeleteTopicsRequest, DeleteTopicsResponse};
use crate::messages::fetch::{FetchRequest, FetchResponse};
use crate::messages::find_coordinator::{FindCoordinatorRequest, FindCoordinatorResponse};
use crate::messages::heartbeat::{HeartbeatRequest, HeartbeatResponse};
use crate::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::messages::join_group::{JoinGroupRequest, JoinGroupResponse};
use crate::messages::leave_group::{LeaveGroupRequest, LeaveGroupResponse};
use crate::messages::list_offsets::{ListOffsetsRequest, ListOffsetsResponse};
use crate::messages::metadata::{MetadataRequest, MetadataResponse};
use crate::messages::offset_commit::{OffsetCommitRequest, OffsetCommitResponse};
use crate::messages::offset_fetch::{OffsetFetchRequest, OffsetFetchResponse};
use crate::messages::produce::{ProduceRequest, ProduceResponse};
use crate::messages::sync_group::{SyncGroupRequest, SyncGroupResponse};
use crate::primitives::{DecodeError, EncodeError, Problem, Reader, Writer};

// The smallest versions are those of Kafka 4.1 (KIP-896), the largest those of Kafka 4.2.
apis! {
//  key  name             served  flexible
    0    Produce          3-13    9+   ProduceRequest, ProduceResponse;
    1    Fetch            4-18    12+  FetchRequest, FetchResponse;
    2    ListOffsets      1-11    6+   ListOffsetsRequest, ListOffsetsResponse;
    3    Metadata         0-13    9+   MetadataRequest, MetadataResponse;
    8    OffsetCommit     2-10    8+   OffsetCommitRequest, OffsetCommitResponse;
    9    OffsetFetch      1-10    6+   OffsetFetchRequest, OffsetFetchResponse;
    10   FindCoordinator  0-6     3+   FindCoordinatorRequest, FindCoordinatorResponse;
    11   JoinGroup        0-9     6+   JoinGroupRequest, JoinGroupResponse;
    12   Heartbeat        0-4     4+   HeartbeatRequest, HeartbeatResponse;
    13   LeaveGroup       0-5     4+   LeaveGroupRequest, LeaveGroupResponse;
    14   SyncGroup        0-5     4+   SyncGroupRequest, SyncGroupResponse;
    18   ApiVersions      0-4     3+   ApiVersionsRequest, ApiVersionsResponse;
    19   CreateTopics     2-7     5+   CreateTopicsRequest, CreateTopicsResponse;
    20   DeleteTopics     1-6     4+   DeleteTopicsRequest, DeleteTopicsResponse;
    22   InitProducerId   0-5     2+   InitProducerIdRequest, InitProducerIdResponse;
}

impl ApiKey {
    pub fn code(self) -> i16 {
        self as i16
    }

    pub fn supports(self, version: i16) -> bool {
        self.versions().contains(&version)
    }

    pub fn is_flexible(self, version: i16) -> bool {
        version >= self.flexible_from()
    }

    /// What an ApiVersions answer says. Produce from 0, though 0 to 2 are refused when they come:
    /// librdkafka before 2.11 switches gzip, snappy and lz4 off unless 0 is in the range.
    pub fn advertised_versions(self) -> RangeInclusive<i16> {
        match self {
            ApiKey::Produce => 0..=*self.versions().end(),
            _ => self.versions(),
        }
    }
}

/// A request and the response that answers it, for a client that sends one and awaits the other.
pub trait Call: Into<Request> {
    const API: ApiKey;
    type Response: TryFrom<Response, Error = DecodeError>;
}
