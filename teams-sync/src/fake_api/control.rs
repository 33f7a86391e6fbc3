//! Changing teams and faults while the fake runs.

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::{Body, FakeApi, Fault, error, json_answer};

/// Bytes of a team or of the name of a fault.
const BODY_LIMIT: usize = 1024 * 1024;

impl FakeApi {
    pub(super) async fn control(
        &self,
        path: &[&str],
        request: Request<Incoming>,
    ) -> Response<Body> {
        let method = request.method().clone();
        match (&method, path) {
            (&Method::GET, ["requests"]) => {
                return json_answer(StatusCode::OK, &json!(self.requests()));
            }
            (&Method::DELETE, ["teams", team]) => self.delete_team(team),
            (&Method::DELETE, ["faults", team]) => self.clear_fault(team),
            (&Method::PUT, [what @ ("teams" | "faults"), team]) => {
                let body = Limited::new(request.into_body(), BODY_LIMIT).collect().await;
                let Ok(body) = body else {
                    return error(StatusCode::PAYLOAD_TOO_LARGE, "the body is cut or too large");
                };
                let body = body.to_bytes();
                if *what == "teams" {
                    let Ok(members) = serde_json::from_slice(&body) else {
                        return error(
                            StatusCode::BAD_REQUEST,
                            "the body has to be a JSON array of names: [\"alice\", \"bob\"]",
                        );
                    };
                    self.set_team(team, members);
                } else {
                    match String::from_utf8_lossy(&body).trim().parse::<Fault>() {
                        Ok(fault) => self.set_fault(team, fault),
                        Err(unknown) => {
                            return error(StatusCode::BAD_REQUEST, &unknown.to_string());
                        }
                    }
                }
            }
            _ => {
                return error(
                    StatusCode::NOT_FOUND,
                    "there is PUT and DELETE /control/teams/{team} and /control/faults/{team}, \
                     and GET /control/requests",
                );
            }
        }
        json_answer(StatusCode::OK, &json!({}))
    }
}
