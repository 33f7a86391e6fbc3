//! Many resources, page by page.
//!
//! In: an endpoint. Out: every resource once, or an error. Never: fewer than the service says
//! there are, the same one twice, an endless walk.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::super::SourceError;
use super::super::http::{About, encoded};
use super::{Missing, Object, Paging, Service, attribute, text};

/// Pages that are read at most.
const MOST_PAGES: usize = 1000;
/// Resources that are read at most.
const MOST_RESOURCES: usize = 100_000;

/// A list response (RFC 7644 section 3.4.2).
#[derive(Debug)]
pub(super) struct Page {
    pub(super) resources: Vec<Object>,
    /// How many there are on all pages together.
    pub(super) total: Option<u64>,
    /// RFC 9865 section 2.
    next: Option<String>,
    start: Option<u64>,
}

impl Page {
    pub(super) fn read(object: Object, about: &About) -> Result<Self, SourceError> {
        let total = whole_number(&object, "totalResults", about)?;
        let start = whole_number(&object, "startIndex", about)?;
        let next = match attribute(&object, "nextCursor") {
            None | Some(Value::Null) => None,
            Some(Value::String(next)) if next.is_empty() => None,
            Some(Value::String(next)) => Some(next.clone()),
            Some(_) => return Err(about.malformed("\"nextCursor\" is no string")),
        };
        let mut attributes = object.into_iter();
        let resources = attributes.find(|(name, _)| name.eq_ignore_ascii_case("Resources"));
        let resources = match resources.map(|(_, value)| value) {
            Some(Value::Array(list)) => list,
            // It is REQUIRED only where there is something.
            None | Some(Value::Null) if total == Some(0) => Vec::new(),
            None | Some(Value::Null) => {
                return Err(about.malformed("the answer has no \"Resources\""));
            }
            Some(_) => return Err(about.malformed("\"Resources\" is no array")),
        };
        let resources = resources.into_iter().map(|resource| match resource {
            Value::Object(resource) => Ok(resource),
            _ => Err(about.malformed("\"Resources\" holds something that is no object")),
        });
        Ok(Self { resources: resources.collect::<Result<_, _>>()?, total, next, start })
    }
}

fn whole_number(object: &Object, name: &str, about: &About) -> Result<Option<u64>, SourceError> {
    match attribute(object, name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(about.malformed(&format!("\"{name}\" is no whole number"))),
        },
    }
}

/// Every resource of `path`, each given to `each` with its id.
pub(super) async fn walk(
    service: &Service,
    path: &str,
    attributes: &str,
    limit: Duration,
    mut each: impl FnMut(String, &Object) + Send,
) -> Result<(), SourceError> {
    let mut seen: HashSet<String> = HashSet::new();
    let mut cursors: HashSet<String> = HashSet::new();
    let mut cursor = String::new();
    let mut first_total: Option<Option<u64>> = None;
    for _ in 0..MOST_PAGES {
        let start = (seen.len() as u64).saturating_add(1);
        let place = match service.paging {
            Paging::Cursor => format!("cursor={}", encoded(&cursor)),
            Paging::Index => format!("startIndex={start}"),
        };
        let query = format!("{place}&count={}&attributes={attributes}", service.page_size);
        let (object, about) = service.get(path, &query, Missing::Endpoint, limit).await?;
        let page = Page::read(object, &about)?;
        if *first_total.get_or_insert(page.total) != page.total {
            return Err(about.incomplete(
                "\"totalResults\" changed from page to page; somebody came or left meanwhile",
            ));
        }
        let empty = page.resources.is_empty();
        for resource in &page.resources {
            let Some(id) = text(resource, "id") else {
                return Err(about.malformed("a resource has no \"id\""));
            };
            if !seen.insert(id.to_owned()) {
                return Err(about.incomplete(&format!(
                    "the id \"{}\" came twice, so another one may not have come at all",
                    about.shown(id),
                )));
            }
            if seen.len() > MOST_RESOURCES {
                return Err(about.malformed(&format!(
                    "there are more than {MOST_RESOURCES} of them; users = \"by_id\" reads only \
                     those that are needed"
                )));
            }
            each(id.to_owned(), resource);
        }
        let got = seen.len() as u64;
        match service.paging {
            Paging::Cursor => match page.next {
                Some(next) if !cursors.insert(next.clone()) => {
                    return Err(about.incomplete("a cursor came twice: the pages go in circles"));
                }
                Some(next) => cursor = next,
                // RFC 9865 section 2: the last page has no nextCursor, and a service that cannot
                // count leaves totalResults out.
                None => return page.total.map_or(Ok(()), |total| all(got, total, &about)),
            },
            Paging::Index => {
                let Some(total) = page.total else {
                    return Err(about.malformed(
                        "the answer has no \"totalResults\", so nobody can tell whether it is \
                         complete; does the service want paging = \"cursor\"?",
                    ));
                };
                if page.start.is_some_and(|given| given != start && !empty) {
                    return Err(about.incomplete(&format!(
                        "asked for startIndex {start}, got {}",
                        page.start.unwrap_or_default(),
                    )));
                }
                if empty || got >= total {
                    return all(got, total, &about);
                }
            }
        }
    }
    Err(SourceError::Malformed(format!(
        "{path} has more than {MOST_PAGES} pages; set a larger page_size, or users = \"by_id\""
    )))
}

fn all(got: u64, total: u64, about: &About) -> Result<(), SourceError> {
    if got == total {
        return Ok(());
    }
    Err(about.incomplete(&format!("\"totalResults\" is {total}, but {got} came")))
}
