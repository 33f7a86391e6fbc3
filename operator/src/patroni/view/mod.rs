//! What one member says of all of them: who follows, who may take over, and how its cluster
//! replicates.
//!
//! In: `GET /cluster`, `GET /config` and `GET /patroni` of one pod. Out: a [`View`]. Never a
//! decision; it is as old as its answers are.

use serde_json::Value;

use super::rest::tells_streaming;
use super::{Member, Members, Patroni, PatroniError, STANDBY_LEADER};

/// The members of a cluster, as one of them saw them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    pub members: Members,
    /// Whether a write waits for a standby, by the settings in use.
    pub is_synchronous: bool,
    /// Before 3.1 a replica that streams says no more than that it runs.
    pub tells_streaming: bool,
}

impl View {
    /// Whoever may take over, the best first: in synchronous mode a synchronous standby, and
    /// nobody else; then who streams; then who has the lowest rank; then who is least behind. One
    /// that follows the archive only if it is hardly behind. `rank`: `None` may not.
    pub fn candidates(&self, rank: impl Fn(&str) -> Option<u8>) -> Vec<&str> {
        let mut able: Vec<_> = self
            .members
            .members
            .iter()
            .filter(|member| self.follows(member) || Self::is_close(member))
            .filter(|member| !member.never_leads())
            .filter(|member| !self.is_synchronous || is_synchronous(member))
            .filter_map(|member| {
                let lag = member.lag.as_u64().unwrap_or(u64::MAX);
                let place = (!self.follows(member), !is_synchronous(member));
                let order = (place, rank(&member.name)?, lag);
                Some((order, member.name.as_str()))
            })
            .collect();
        able.sort_unstable();
        able.into_iter().map(|(_, name)| name).collect()
    }

    /// Whether a member has what the leader writes, or is about to.
    pub fn streams(&self, name: &str) -> bool {
        let own = self.members.members.iter().find(|member| member.name == name);
        own.is_some_and(|member| self.follows(member))
    }

    /// Whether a write waits for this one.
    pub fn is_synchronous_standby(&self, name: &str) -> bool {
        let own = self.members.members.iter().find(|member| member.name == name);
        own.is_some_and(is_synchronous)
    }

    /// Whether writes wait for anybody.
    pub fn has_synchronous_standby(&self) -> bool {
        self.members.members.iter().any(|own| is_synchronous(own) && self.follows(own))
    }

    pub fn leader(&self) -> Option<&str> {
        self.members.members.iter().find(|member| member.leads()).map(|own| own.name.as_str())
    }

    /// Whether a member that follows the archive has nearly all.
    fn is_close(member: &Member) -> bool {
        let lag = member.lag.as_u64();
        member.state == FROM_ARCHIVE && !member.leads() && lag.is_some_and(|lag| lag <= CLOSE)
    }

    /// Whoever fetches WAL from the archive says that right after its start, for hours where it is
    /// far behind, and as long as it cannot stream: only a standby cluster may live by that.
    fn follows(&self, member: &Member) -> bool {
        let is_well = match member.state.as_str() {
            "streaming" => true,
            FROM_ARCHIVE => self.members.members.iter().any(|member| member.role == STANDBY_LEADER),
            // It may be catching up still, and cannot say so.
            "running" => !self.tells_streaming,
            _ => false,
        };
        is_well && !member.leads()
    }
}

/// Its server restores WAL, and receives none.
const FROM_ARCHIVE: &str = "in archive recovery";
/// Bytes: by default Patroni lets nobody take over who is further behind.
const CLOSE: u64 = 1024 * 1024;

/// A standby cluster has no synchronous standby, whatever it will be by its settings.
fn is_synchronous_mode(config: &Value) -> bool {
    let is_standby = config["standby_cluster"].as_object().is_some_and(|own| !own.is_empty());
    !is_standby && is_on(&config["synchronous_mode"])
}

fn is_synchronous(member: &Member) -> bool {
    ["sync_standby", "quorum_standby"].contains(&member.role.as_str())
}

impl Patroni {
    /// # Errors
    /// No answer in time, or none that can be understood.
    pub async fn view(&self) -> Result<View, PatroniError> {
        let members = self.members().await?;
        let config: Value = self.fetch("config").await?;
        let own: Value = self.fetch("patroni").await?;
        Ok(View {
            members,
            is_synchronous: is_synchronous_mode(&config),
            tells_streaming: tells_streaming(own["patroni"]["version"].as_str().unwrap_or("")),
        })
    }
}

/// Whatever is not off: `true`, `quorum`, and words for these.
fn is_on(mode: &Value) -> bool {
    match mode {
        Value::Bool(is_on) => *is_on,
        Value::String(word) => {
            !["", "off", "false", "no", "0"].contains(&word.to_lowercase().as_str())
        }
        Value::Number(number) => number.as_u64() != Some(0),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests;
