//! Heartbeat: a member is alive, and learns whether it has to rejoin.

use protocol::ErrorCode;
use protocol::messages::HeartbeatRequest;

use crate::classic::{Operation, State};

impl Operation<'_> {
    /// # Errors
    /// Kafka's error for the member.
    pub(crate) fn heartbeat(&mut self, request: &HeartbeatRequest) -> Result<(), ErrorCode> {
        self.group.validate_member(&request.member_id, request.group_instance_id.as_ref())?;
        if request.generation_id != self.group.generation_id {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        match self.group.state() {
            State::Empty => Err(ErrorCode::UNKNOWN_MEMBER_ID),
            State::PreparingRebalance { .. } => {
                self.restart_session(&request.member_id);
                Err(ErrorCode::REBALANCE_IN_PROGRESS)
            }
            // A member may send heartbeats as soon as it has joined, while the leader still assigns.
            State::CompletingRebalance | State::Stable => {
                self.restart_session(&request.member_id);
                Ok(())
            }
        }
    }
}
