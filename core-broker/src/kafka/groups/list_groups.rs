//! ListGroups: the groups that are coordinated here, by state and by type.

use std::sync::Arc;

use broker_logic::groups::GroupListing;
use kafka_wire::{
    ErrorCode,
    messages::list_groups::{ListGroupsRequest, ListGroupsResponse, ListedGroup},
};
use tracing::warn;

use crate::broker::Shared;

/// KIP-848's name for groups whose members assign the partitions. There are no others here.
const CLASSIC: &str = "classic";

pub async fn handle(shared: Arc<Shared>, request: ListGroupsRequest) -> ListGroupsResponse {
    let groups = match shared.groups.list().await {
        Ok(groups) => groups,
        Err(error) => {
            warn!(%error, "cannot list the groups");
            let error_code = ErrorCode::CoordinatorNotAvailable;
            return ListGroupsResponse { error_code, ..Default::default() };
        }
    };
    let lets_through = |filter: &[String], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let listed = |group: &GroupListing| {
        lets_through(&request.states_filter, group.state.name())
            && lets_through(&request.types_filter, CLASSIC)
    };
    let groups = groups.into_iter().filter(listed).map(|group| ListedGroup {
        group_id: group.group_id,
        protocol_type: group.protocol_type,
        group_state: group.state.name().into(),
        group_type: CLASSIC.into(),
    });
    ListGroupsResponse { groups: groups.collect(), ..Default::default() }
}
