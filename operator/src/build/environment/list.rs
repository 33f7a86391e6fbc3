//! Variables in order, each name once: whoever comes first has it.

use k8s_openapi::api::core::v1::{EnvVar, EnvVarSource, ObjectFieldSelector, SecretKeySelector};

/// The API server refuses a list that holds a name twice if it is applied.
#[derive(Default)]
pub(super) struct List(Vec<EnvVar>);

impl List {
    /// Unless the name is there, in whatever case: `scope` cannot replace `SCOPE`.
    pub(super) fn add(&mut self, variable: EnvVar) {
        if !self.0.iter().any(|one| one.name.eq_ignore_ascii_case(&variable.name)) {
            self.0.push(variable);
        }
    }

    /// Unless the very name is there. The reference does not even ask that of clones and
    /// standbys, and a name in another case beside theirs is a variable of its own.
    pub(super) fn add_exact(&mut self, variable: EnvVar) {
        if !self.0.iter().any(|one| one.name == variable.name) {
            self.0.push(variable);
        }
    }

    pub(super) fn into_inner(self) -> Vec<EnvVar> {
        self.0
    }
}

pub(in crate::build) fn plain(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), value_from: None }
}

/// What a field of the pod holds.
pub(in crate::build) fn field(name: &str, path: &str) -> EnvVar {
    let field =
        ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() };
    from(name, EnvVarSource { field_ref: Some(field), ..EnvVarSource::default() })
}

/// What a key of a Secret holds.
pub(in crate::build) fn secret(name: &str, secret: &str, key: &str) -> EnvVar {
    let key = SecretKeySelector { name: secret.to_owned(), key: key.to_owned(), optional: None };
    from(name, EnvVarSource { secret_key_ref: Some(key), ..EnvVarSource::default() })
}

fn from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}

/// The password in a role's Secret.
pub(in crate::build) fn password_of(name: &str, of: &str) -> EnvVar {
    secret(name, of, PASSWORD)
}

/// Adds what has a name of its own; case does not make one.
pub(in crate::build) fn absent_appended(
    all: &mut Vec<EnvVar>,
    more: impl IntoIterator<Item = EnvVar>,
) {
    let mut list = List(std::mem::take(all));
    more.into_iter().for_each(|one| list.add(one));
    *all = list.into_inner();
}

/// The key of a role's Secret that holds its password.
pub(super) const PASSWORD: &str = "password";
