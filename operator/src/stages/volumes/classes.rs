//! Whether volumes of a StorageClass can grow.

use std::collections::BTreeMap;

use k8s_openapi::api::storage::v1::StorageClass;
use kube::Api;

use crate::context::Context;
use crate::volumes::Obstacle;

/// Each is asked for once in a look, and only if something is to grow.
#[derive(Debug, Default)]
pub(super) struct Classes(BTreeMap<String, Option<Obstacle>>);

impl Classes {
    /// `None`: nothing is known that keeps its volumes from growing.
    pub(super) async fn obstacle(
        &mut self,
        context: &Context,
        class: Option<&str>,
    ) -> Option<Obstacle> {
        let Some(class) = class else { return Some(Obstacle::NoClass) };
        if let Some(known) = self.0.get(class) {
            return known.clone();
        }
        let api: Api<StorageClass> = Api::all(context.client.clone());
        let shown = || class.escape_debug().to_string();
        let found = match api.get_opt(class).await {
            Ok(Some(own)) if own.allow_volume_expansion == Some(true) => None,
            Ok(Some(_)) => Some(Obstacle::FixedClass(shown())),
            Ok(None) => Some(Obstacle::UnknownClass(shown())),
            // We may not look. The API server knows, and says so to whoever asks for more.
            Err(error) => {
                tracing::debug!(class, %error, "the StorageClass could not be read");
                None
            }
        };
        self.0.insert(class.to_owned(), found.clone());
        found
    }
}
