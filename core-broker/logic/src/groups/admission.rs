//! Before a group is asked at all: may this request be answered here, and does its group exist?

use super::coordinator::Coordinator;
use super::error::GroupError;
use super::member::millis;
use super::messages::{Answer, JoinRequest, Request};
use super::offsets::fetched;

pub enum Admitted {
    /// For the group, which begins with this request if it is not there yet.
    Group,
    /// There is no such group, and the request needs none.
    Unknown(Answer),
}

impl Coordinator {
    pub(super) fn admit(&self, request: &Request) -> Result<Admitted, GroupError> {
        self.ready()?;
        if !request.fits() {
            return Err(GroupError::InvalidRequest);
        }
        let group_id = request.group_id();
        let may_be_nameless = matches!(
            request,
            Request::CommitOffsets(_) | Request::FetchOffsets { .. } | Request::DeleteGroup { .. }
        );
        if group_id.is_empty() && !may_be_nameless {
            return Err(GroupError::InvalidGroupId);
        }
        if let Request::Join(join) = request {
            self.check_session(join)?;
        }
        if self.groups.contains_key(group_id) {
            return Ok(Admitted::Group);
        }
        match request {
            Request::Join(join) if join.member_id.is_empty() => self.room_for_a_group(),
            Request::CommitOffsets(commit) if commit.generation < 0 => self.room_for_a_group(),
            Request::CommitOffsets(_) => Err(GroupError::IllegalGeneration),
            Request::Join(_) | Request::Sync(_) | Request::Heartbeat(_) => Err(GroupError::UnknownMember),
            Request::Leave(leave) => Ok(Admitted::Unknown(leave.unknown_members())),
            Request::FetchOffsets { partitions, .. } => {
                let rows = partitions.iter().flatten().map(|at| fetched(at, None)).collect();
                Ok(Admitted::Unknown(Answer::FetchOffsets(Ok(rows))))
            }
            Request::DeleteGroup { .. } | Request::DeleteOffsets { .. } => Err(GroupError::GroupIdNotFound),
        }
    }

    fn check_session(&self, join: &JoinRequest) -> Result<(), GroupError> {
        let allowed = self.config.min_session_timeout..=self.config.max_session_timeout;
        let asked = millis(join.session_timeout_ms);
        if allowed.contains(&asked) { Ok(()) } else { Err(GroupError::InvalidSessionTimeout) }
    }

    fn room_for_a_group(&self) -> Result<Admitted, GroupError> {
        let room = self.groups.len() < self.config.max_groups;
        if room { Ok(Admitted::Group) } else { Err(GroupError::GroupFull) }
    }
}
