//! The table of the reference.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reference::Document;
use tokio::time::Instant;

use super::super::board::{Board, ServerState, TeamState};
use super::super::metrics;

#[test]
fn the_table_of_the_reference_has_every_metric() {
    let board = Arc::new(Board::default());
    {
        let mut state = board.state();
        state.fetched = Some(Duration::from_millis(3));
        let team = TeamState { up: true, good: Instant::now(), members: Some(2) };
        state.teams.insert("acid".to_owned(), team);
        let server = ServerState {
            passes: 1,
            success: Some(Timestamp::UNIX_EPOCH),
            changes: [("create", 1)].into(),
            failures: [("session", 1)].into(),
            ..ServerState::default()
        };
        state.servers.insert("orders".to_owned(), server);
    }
    let page = metrics::text(&board).unwrap();
    Document::read("metrics.md").generated("teams-sync", &reference::metrics(&page));
}
