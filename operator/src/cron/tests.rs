use super::check;

#[test]
fn a_schedule_has_five_fields_or_is_a_word() {
    for text in [
        "30 00 * * *",
        "*/15 0-6 1,15 * mon-fri",
        "0 3 * JAN,jul 0",
        "5/10 * ? * *",
        "0 0 1-31/2 * *",
        "@daily",
    ] {
        check(text).unwrap_or_else(|error| panic!("{text} {error}"));
    }
    for text in [
        "",
        "30 00 * *",
        "30 00 * * * *",
        "60 0 * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 7",
        "5-1 * * * *",
        "*/0 * * * *",
        "+5 * * * *",
        "TZ=UTC 0 0 * * *",
        "@reboot",
        "every day",
    ] {
        assert!(check(text).is_err(), "{text}");
    }
}
