//! Who may use the HTTP API: the tokens of the Secret `api_token_secret_name`, followed.

use std::sync::Arc;

use futures_util::{StreamExt, pin_mut};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use tokio::sync::watch;

use crate::admin::Access;
use crate::config::Config;
use crate::context::Context;

/// Before the Secret was read: nobody, if there is to be one.
pub(super) fn initially(config: &Config) -> Access {
    match config.operation.api_token_secret_name {
        None => Access::open(),
        Some(_) => Access::tokens(std::iter::empty::<&[u8]>()),
    }
}

/// Follows the Secret of the configuration in use.
pub(super) async fn follow(
    context: Arc<Context>,
    access: watch::Sender<Access>,
    mut configured: watch::Receiver<()>,
) {
    loop {
        let config = context.config();
        let _nobody_asks = access.send(initially(&config));
        tokio::select! {
            () = tokens(&context, &config, &access) => return,
            changed = configured.changed() => if changed.is_err() { return },
        }
    }
}

async fn tokens(context: &Context, config: &Config, access: &watch::Sender<Access>) {
    let Some(place) = &config.operation.api_token_secret_name else {
        return std::future::pending().await;
    };
    let api: Api<Secret> = Api::namespaced(context.client.clone(), &place.namespace);
    let stream = watch_object(api, &place.name).default_backoff();
    pin_mut!(stream);
    while let Some(event) = stream.next().await {
        let data = match event {
            Ok(secret) => secret.and_then(|secret| secret.data).unwrap_or_default(),
            // The tokens that are known stay good.
            Err(error) => {
                let error = error.to_string();
                tracing::warn!(error, "the Secret {place} of the HTTP API cannot be followed");
                continue;
            }
        };
        let tokens = Access::tokens(data.values().map(|ByteString(bytes)| bytes.as_slice()));
        if tokens.accepted() == Some(0) {
            tracing::warn!("the Secret {place} holds no token: nobody may use the HTTP API");
        }
        let _nobody_asks = access.send(tokens);
    }
}
