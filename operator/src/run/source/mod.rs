//! Where the configuration is: a ConfigMap or an `OperatorConfiguration`; read at the start, and
//! followed from then on.

use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, ObjectReference};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use kube::{Api, Client, Resource};

use crate::api::operator_configuration::OperatorConfiguration;
use crate::config::{self, Environment, Loaded, NamespacedName};
use crate::failure::describe;

/// One of the two.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    ConfigMap(NamespacedName),
    OperatorConfiguration(NamespacedName),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ConfigMap(name) => write!(f, "ConfigMap {name}"),
            Self::OperatorConfiguration(name) => write!(f, "OperatorConfiguration {name}"),
        }
    }
}

/// What a source holds, or all that is wrong with it.
pub(super) type Reading = Result<Loaded, String>;

/// What following it brings.
#[derive(Debug)]
pub(super) enum Followed {
    Read(Box<Loaded>),
    /// Somebody has to correct it.
    Refused(String),
    /// The API server gives nothing at the moment; it comes again by itself.
    Broken(String),
}

impl From<Reading> for Followed {
    fn from(reading: Reading) -> Self {
        match reading {
            Ok(loaded) => Self::Read(Box::new(loaded)),
            Err(reason) => Self::Refused(reason),
        }
    }
}

impl Source {
    /// Namespace and name.
    pub(super) fn name(&self) -> String {
        let (Self::ConfigMap(name) | Self::OperatorConfiguration(name)) = self;
        name.to_string()
    }

    /// For events.
    pub(super) fn reference(&self) -> ObjectReference {
        let (kind, version, name) = match self {
            Self::ConfigMap(name) => (ConfigMap::kind(&()), ConfigMap::api_version(&()), name),
            Self::OperatorConfiguration(name) => {
                (OperatorConfiguration::kind(&()), OperatorConfiguration::api_version(&()), name)
            }
        };
        ObjectReference {
            kind: Some(kind.into_owned()),
            api_version: Some(version.into_owned()),
            name: Some(name.name.clone()),
            namespace: Some(name.namespace.clone()),
            ..ObjectReference::default()
        }
    }

    /// Reads it once.
    ///
    /// # Errors
    /// All that is wrong with it, one line each.
    pub(super) async fn read(&self, client: &Client, environment: &Environment) -> Reading {
        let missing = || format!("the {self} is not there: create it");
        let failed =
            |error: kube::Error| format!("the {self} cannot be read: {}", describe(&error));
        match self {
            Self::ConfigMap(name) => {
                let api: Api<ConfigMap> = Api::namespaced(client.clone(), &name.namespace);
                let found = api.get_opt(&name.name).await.map_err(failed)?;
                self.of_config_map(&found.ok_or_else(missing)?, environment)
            }
            Self::OperatorConfiguration(name) => {
                let api = Api::namespaced(client.clone(), &name.namespace);
                let found = api.get_opt(&name.name).await.map_err(failed)?;
                self.of_object(&found.ok_or_else(missing)?, environment)
            }
        }
    }

    /// Each reading from now on, the present one first.
    pub(super) fn follow(
        &self,
        client: &Client,
        environment: &Environment,
    ) -> std::pin::Pin<Box<dyn Stream<Item = Followed> + Send>> {
        let (source, environment) = (self.clone(), environment.clone());
        let gone = format!("the {self} is gone");
        let broken = format!("the {self} cannot be followed");
        match self {
            Self::ConfigMap(name) => {
                let api: Api<ConfigMap> = Api::namespaced(client.clone(), &name.namespace);
                let stream = watch_object(api, &name.name).default_backoff();
                Box::pin(stream.map(move |event| match event {
                    Ok(Some(object)) => source.of_config_map(&object, &environment).into(),
                    Ok(None) => Followed::Refused(gone.clone()),
                    Err(error) => Followed::Broken(format!("{broken}: {error}")),
                }))
            }
            Self::OperatorConfiguration(name) => {
                let api: Api<OperatorConfiguration> =
                    Api::namespaced(client.clone(), &name.namespace);
                let stream = watch_object(api, &name.name).default_backoff();
                Box::pin(stream.map(move |event| match event {
                    Ok(Some(object)) => source.of_object(&object, &environment).into(),
                    Ok(None) => Followed::Refused(gone.clone()),
                    Err(error) => Followed::Broken(format!("{broken}: {error}")),
                }))
            }
        }
    }

    fn of_config_map(&self, object: &ConfigMap, environment: &Environment) -> Reading {
        let data = object.data.clone().unwrap_or_default();
        let loaded = config::from_config_map(&data, environment);
        loaded.map_err(|errors| format!("the {self} is refused: {errors}"))
    }

    fn of_object(&self, object: &OperatorConfiguration, environment: &Environment) -> Reading {
        let object = serde_json::json!({ "configuration": object.configuration });
        let loaded = config::from_operator_configuration(&object, environment);
        loaded.map_err(|errors| format!("the {self} is refused: {errors}"))
    }
}

#[cfg(test)]
mod tests;
