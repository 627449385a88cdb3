//! DeleteGroups: groups without members, and what they committed.

use std::{collections::BTreeSet, sync::Arc};

use broker_logic::groups::{Answer, Request};
use kafka_wire::{
    ErrorCode,
    messages::delete_groups::{DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse},
};

use super::{ask, unexpected};
use crate::broker::Shared;

pub async fn handle(shared: Arc<Shared>, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    let asked: BTreeSet<String> = request.groups_names.into_iter().collect();
    for group_id in asked {
        let error_code = match ask(&shared, Request::DeleteGroup { group_id: group_id.clone() }).await {
            Ok(Answer::DeleteGroup(result)) => result.err().map_or(ErrorCode::None, ErrorCode::from),
            other => unexpected(other),
        };
        response.results.push(DeletableGroupResult { group_id, error_code });
    }
    response
}
