//! What keys were called in 2018. In: a name and its value. Out: what they mean today.

use serde_json::Value;

/// `dns_name_format` of 2018 as a template of today. The first form was one of printf, for the
/// cluster, the team and the zone.
pub(super) fn dns_template(text: &str) -> String {
    let mut template = text.to_owned();
    if template.matches("%s").count() == 3 {
        for placeholder in ["{cluster}", "{team}", "{hostedzone}"] {
            template = template.replacen("%s", placeholder, 1);
        }
    }
    template
}

/// What a key that had another name meant. Each with its value, the first for the key itself:
/// where one stands for several keys, it is the default of the others.
pub(super) fn modern(alias: &str, key: &'static str, value: &Value) -> Vec<(&'static str, Value)> {
    let ("dns_name_format", Value::String(text)) = (alias, value) else {
        return vec![(key, value.clone())];
    };
    let primary = dns_template(text);
    let replica = primary.replacen("{cluster}", "{cluster}-repl", 1);
    // In 2018 `{cluster}` was without the team, which is what the second name is today.
    vec![
        (key, Value::String(primary.clone())),
        ("master_legacy_dns_name_format", Value::String(primary)),
        ("replica_dns_name_format", Value::String(replica.clone())),
        ("replica_legacy_dns_name_format", Value::String(replica)),
    ]
}
