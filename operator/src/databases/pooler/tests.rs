use serde_json::{Value, json};

use super::observed::Grantee;
use super::*;

fn lookup() -> Lookup {
    Lookup {
        user: RoleName::parse("pooler").unwrap(),
        schema: SchemaName::parse("schema", "pooler").unwrap(),
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn owner(name: &str, is_superuser: bool) -> Value {
    json!({ "name": hex(name), "is_superuser": is_superuser })
}

fn schema() -> Value {
    json!({ "owner": owner("postgres", true), "is_usable": true, "creators": [] })
}

fn function() -> Value {
    json!({ "owner": owner("postgres", true), "is_ours": true, "is_right": true,
        "is_replaceable": true, "is_granted": true, "askers": [] })
}

/// What is done where this is there.
fn planned(schema: &Value, function: &Value) -> Result<Vec<Step>, String> {
    let there = json!({ "has_user": true, "schema": schema, "lookup": function, "strangers": 0 });
    plan(&lookup(), &BTreeSet::new(), &serde_json::from_value(there).unwrap())
}

fn with(mut all: Value, field: &str, value: Value) -> Value {
    all[field] = value;
    all
}

#[test]
fn nothing_is_done_where_everything_is_right_and_all_of_it_where_nothing_is() {
    assert_eq!(planned(&schema(), &function()), Ok(vec![]));
    let made = [Step::CreateFunction, Step::GrantExecute];
    let all = [Step::CreateSchema, Step::GrantUsage].into_iter().chain(made.clone());
    assert_eq!(planned(&Value::Null, &Value::Null), Ok(all.collect()));
    assert_eq!(planned(&schema(), &Value::Null), Ok(made.to_vec()));
    let unusable = with(schema(), "is_usable", json!(false));
    assert_eq!(planned(&unusable, &function()), Ok(vec![Step::GrantUsage]));
}

#[test]
fn a_schema_into_which_somebody_else_could_put_a_function_is_never_used() {
    let mallorys = with(schema(), "owner", owner("mallory", false));
    let refused = planned(&mallorys, &function()).expect_err("it is hers");
    assert!(refused.contains("belongs to mallory"), "{refused}");
    for (creator, shown) in [(json!(null), "everybody"), (json!(hex("eve")), "eve")] {
        let open = with(schema(), "creators", json!([creator]));
        let refused = planned(&open, &Value::Null).expect_err("anybody could");
        assert!(refused.contains(&format!("{shown} may make functions")), "{refused}");
    }
    let there = json!({ "has_user": true, "schema": schema(), "lookup": null, "strangers": 1 });
    assert!(plan(&lookup(), &BTreeSet::new(), &serde_json::from_value(there).unwrap()).is_err());
}

#[test]
fn a_function_that_is_nobodys_whom_one_can_trust_is_made_anew_and_never_kept() {
    let anew = Ok(vec![Step::DropFunction, Step::CreateFunction, Step::GrantExecute]);
    let mallorys = with(function(), "owner", owner("mallory", false));
    assert_eq!(planned(&schema(), &mallorys), anew);
    let other = with(with(function(), "is_replaceable", json!(false)), "is_right", json!(false));
    assert_eq!(planned(&schema(), &other), anew);
}

#[test]
fn a_function_of_the_reference_gets_our_body_and_is_asked_by_the_pooler_alone() {
    let wrong = with(function(), "is_right", json!(false));
    assert_eq!(planned(&schema(), &wrong), Ok(vec![Step::ReplaceFunction]));
    let anothers = with(function(), "is_ours", json!(false));
    assert_eq!(planned(&schema(), &anothers), Ok(vec![Step::TakeFunction]));
    let open = with(function(), "askers", json!([null, hex("old_pooler")]));
    let open = with(open, "is_granted", json!(false));
    let steps: Vec<String> =
        planned(&schema(), &open).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "revoke user_lookup of the pooler from everybody",
            "revoke user_lookup of the pooler from old_pooler",
            "grant user_lookup to the pooler",
        ]
    );
}

#[test]
fn whom_running_pods_ask_as_may_go_on_and_nobody_else_may() {
    let askers = json!([null, hex("bouncer"), hex("mallory")]);
    let there = json!({ "has_user": true, "schema": schema(), "strangers": 0,
        "lookup": with(function(), "askers", askers) });
    let spared = BTreeSet::from([RoleName::parse("bouncer").unwrap()]);
    let steps = plan(&lookup(), &spared, &serde_json::from_value(there).unwrap()).unwrap();
    let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        steps,
        [
            "revoke user_lookup of the pooler from everybody",
            "revoke user_lookup of the pooler from mallory",
        ]
    );
}

#[test]
fn nothing_is_done_before_there_is_a_role() {
    let there = json!({ "has_user": false, "schema": null, "lookup": null, "strangers": 0 });
    assert!(plan(&lookup(), &BTreeSet::new(), &serde_json::from_value(there).unwrap()).is_err());
}

#[test]
fn a_name_is_shown_in_one_line_whatever_its_bytes_are() {
    let name = |hex: &str| {
        let database = json!({ "name": hex, "connects": true, "is_locked": false });
        serde_json::from_value::<Database>(database).unwrap()
    };
    assert_eq!(name(&hex("a\"b")).name().as_deref(), Some("a\"b"));
    assert_eq!(name(&hex("a\nb")).shown(), "a\\nb");
    assert_eq!(name("ff61").name(), None);
    assert_eq!(name("ff61").shown(), "\u{fffd}a");
}

#[tokio::test(start_paused = true)]
async fn databases_that_do_not_answer_take_no_longer_than_all_of_them_may() {
    let database = |name: &str| {
        let one = json!({ "name": hex(name), "connects": true, "is_locked": false });
        serde_json::from_value::<Database>(one).unwrap()
    };
    let all = ["a", "b", "c", "d"].map(database);
    let all: Vec<&Database> = all.iter().collect();
    let (began, limit) = (Instant::now(), Duration::from_secs(15));
    let answers = all.iter().map(|_| async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        Ok(vec!["grant".to_owned()])
    });
    let answers: Vec<_> = answers.collect();
    let mut report = LookupReport::default();
    let answers = Box::pin(stream::iter(answers).buffered(1));
    within(limit, &all, answers, &mut report).await;
    assert_eq!(began.elapsed(), limit);
    assert_eq!(report.changes, ["grant in a"], "what was done is told");
    assert!(!report.answers, "nobody came to postgres");
    assert_eq!(
        report.problems,
        ["not done with all databases within 15s, these are left: b, c, d"]
    );
}

#[tokio::test]
async fn a_pooler_gets_answers_where_postgres_has_the_function() {
    let database = |name: &str| {
        let one = json!({ "name": hex(name), "connects": true, "is_locked": false });
        serde_json::from_value::<Database>(one).unwrap()
    };
    let all = ["foo", "postgres"].map(database);
    let all: Vec<&Database> = all.iter().collect();
    let (right, wrong) = (|| Ok(Vec::new()), || Err("hers".to_owned()));
    for (outcomes, answers) in [([wrong(), right()], true), ([right(), wrong()], false)] {
        let mut report = LookupReport::default();
        within(ALL, &all, stream::iter(outcomes), &mut report).await;
        assert_eq!(report.answers, answers, "{report:?}");
    }
}

#[test]
fn what_is_never_right_is_named() {
    let said = never_right(&[Step::ReplaceFunction, Step::RevokeFrom(Grantee(None))]);
    assert!(said.contains("correct user_lookup of the pooler, revoke"), "{said}");
}

#[test]
fn quoting_of_a_server_changes_nothing_of_what_a_function_is_compared_with() {
    let pins = sql::pins(Duration::from_secs(1), Duration::from_secs(1));
    let at = |text: &str| pins.find(text).unwrap();
    assert!(at("set quote_all_identifiers = off") > at("set search_path = pg_catalog"));
}
