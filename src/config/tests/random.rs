//! Whatever bytes a file holds, the answer is settings or problems with places that exist.

use proptest::prelude::*;

use super::{Environment, parse};

const DEFAULTS: &str = include_str!("../../../config/vestibule.toml");

/// One way to damage a text at a place between 0 and 1.
fn damage(text: &str, place: f64, length: usize, insertion: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let start = ((letters.len() as f64) * place) as usize;
    let end = (start + length).min(letters.len());
    letters[..start].iter().copied().chain(insertion.chars()).chain(letters[end..].iter().copied()).collect()
}

fn check(text: &str) {
    let Err(problems) = parse("a.toml", text, &Environment::default()) else { return };
    assert!(!problems.0.is_empty());
    for problem in &problems.0 {
        assert!(problem.line <= text.lines().count() + 1, "{problem}");
        assert!(!problem.found.is_empty() && !problem.expected.is_empty(), "{problem}");
    }
    let _ = problems.to_string();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_damaged_file_is_judged_without_a_panic(
        place in 0.0..1.0_f64,
        length in 0..12_usize,
        insertion in r#"[ -~é\n"'\[\]={},.#\\]{0,8}"#,
    ) {
        check(&damage(DEFAULTS, place, length, &insertion));
    }

    #[test]
    fn a_key_with_any_value_is_judged_without_a_panic(
        line in prop::sample::select(DEFAULTS.lines().filter(|line| line.contains(" = ")).collect::<Vec<_>>()),
        value in prop_oneof![
            Just("-1"), Just("9223372036854775808"), Just("1e400"), Just("nan"), Just("1979-05-27"), Just("[[[]]]"), Just("{}"),
            Just("{a={b=[1,{}]}}"), Just("\"\""), Just("'\\'"), Just("\"\\u0000é\""), Just("\"base64:é\""), Just("\"/é/../%2f\""),
            Just("[\"\", \"\\n\", 1]"), Just("\"http://[::1]:é\""), Just("\"18446744073709551615d\""), Just("true"),
        ],
    ) {
        let key = line.split(" = ").next().unwrap_or_default();
        check(&DEFAULTS.replacen(line, &format!("{key} = {value}"), 1));
    }

    #[test]
    fn any_text_is_judged_without_a_panic(text in "\\PC{0,80}") {
        check(&text);
    }
}
