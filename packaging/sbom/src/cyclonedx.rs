//! CycloneDX 1.6 (ECMA-424), as JSON.

use serde_json::{Value, json};

use crate::Fault;
use crate::tree::{About, Checksums, Id, Tree};

/// The bill of a package that becomes something of this kind. Pure, but for what it is given.
pub(crate) fn bill(tree: &Tree, kind: &str, checksums: &Checksums) -> Result<Value, Fault> {
    let mut components = Vec::new();
    let mut own = Value::Null;
    for (id, about) in &tree.crates {
        let mut component = component(id, about, checksums)?;
        if *id == tree.root {
            component["type"] = json!(kind);
            own = component;
            continue;
        }
        let scope = if tree.linked.contains(id) { "required" } else { "excluded" };
        component["scope"] = json!(scope);
        components.push(component);
    }
    let dependencies = tree.crates.keys().map(|id| {
        let needs: Vec<String> = tree.needs.get(id).into_iter().flatten().map(reference).collect();
        json!({ "ref": reference(id), "dependsOn": needs })
    });
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": own },
        "components": components,
        "dependencies": dependencies.collect::<Vec<_>>(),
    }))
}

fn component(id: &Id, about: &About, checksums: &Checksums) -> Result<Value, Fault> {
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(id),
        "name": id.name,
        "version": id.version,
        "purl": reference(id),
        "licenses": [{ "expression": about.licence }],
    });
    if let Some(checksum) = checksums.of(id)? {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = &about.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    Ok(component)
}

/// A package URL. `+` stands for itself in none.
fn reference(id: &Id) -> String {
    format!("pkg:cargo/{}@{}", id.name, id.version.replace('+', "%2B"))
}
