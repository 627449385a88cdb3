//! The requests of consumer groups: Kafka's messages to the coordinator's, and its answers back. The rules
//! are in `broker_logic::groups`.

pub mod delete_groups;
pub mod describe_groups;
pub mod find_coordinator;
pub mod heartbeat;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod sync_group;

/// What the groups of one answer may hold, in bytes that members and consumers gave. Those for which there is
/// no room are as those that are not loaded yet: the client asks for them again.
const MAX_ANSWER_BYTES: usize = 64 << 20;

use broker_logic::groups::{Answer, Request};
use kafka_wire::ErrorCode;

use crate::{broker::Shared, groups::GroupsError};

async fn ask(shared: &Shared, request: Request) -> Result<Answer, GroupsError> {
    shared.groups.ask(request).await
}

/// No coordinator, or an answer to another question, which would be our mistake and nobody else's.
fn unexpected(outcome: Result<Answer, GroupsError>) -> ErrorCode {
    match outcome {
        Err(error) => {
            tracing::warn!(%error, "no coordinator");
            ErrorCode::CoordinatorNotAvailable
        }
        Ok(answer) => {
            tracing::error!(?answer, "the coordinator answered another question");
            ErrorCode::UnknownServerError
        }
    }
}
