//! When two names are one (UAX 15, UAX 31): which characters a name is made of, and the form in which spellings
//! that look or type alike are equal. Called by e-mail addresses, user names and the password rules.

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};
use icu_properties::CodePointSetData;
use icu_properties::props::{DefaultIgnorableCodePoint, EnumeratedProperty, GeneralCategory, GeneralCategoryGroup};

/// Returns the form of `text` in which characters that Unicode holds canonically equal are one: what is stored.
pub fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned()
}

/// Returns NFKC and full case fold of `text`, normalised again: equal for what Unicode calls a compatibility caseless match
/// (section 3.13, D146). Applying it twice changes nothing.
pub fn caseless(text: &str) -> String {
    let fold = |text: &str| CaseMapper::new().fold_string(text).into_owned();
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    // Decomposed first, because the iota below a Greek vowel folds to a letter of its own.
    let decomposed = DecomposingNormalizerBorrowed::new_nfkd().normalize(text);
    let once = fold(&decomposed);
    // Folding and normalising each can make work for the other, once: hence the second round.
    nfkc.normalize(&fold(&nfkc.normalize(&once))).into_owned()
}

/// Returns whether `character` is a letter, mark or decimal digit that can be seen. Hangul fillers and variation selectors
/// count as letters and marks in Unicode, but two names that differ in them look the same.
pub fn is_word_character(character: char) -> bool {
    let category = GeneralCategory::for_char(character);
    let in_words = GeneralCategoryGroup::Letter.contains(category)
        || GeneralCategoryGroup::Mark.contains(category)
        || category == GeneralCategory::DecimalNumber;
    in_words && !CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_that_differ_in_case_or_width_are_one() {
        let table = [
            ("Ada", "ada"),
            ("ＡＤＡ", "ada"),
            ("Straße", "strasse"),
            ("STRAẞE", "strasse"),
            ("ΣΊΣΥΦΟΣ", "σίσυφοσ"),
            ("σίσυφος", "σίσυφοσ"),
            ("ﬁn", "fin"),
            ("e\u{301}", "é"),
            ("K", "k"),
            ("Å", "å"),
        ];
        for (typed, key) in table {
            assert_eq!(caseless(typed), caseless(key), "{typed}");
            assert_eq!(caseless(key), key);
        }
        assert_ne!(caseless("ada"), caseless("adà"));
    }

    #[test]
    fn the_caseless_form_of_every_character_is_its_own_caseless_form() {
        for character in '\0'..=char::MAX {
            let form = caseless(&character.to_string());
            assert_eq!(caseless(&form), form, "{character:?}");
        }
    }

    #[test]
    fn letters_marks_and_digits_are_word_characters_and_what_cannot_be_seen_is_none() {
        for character in ['a', 'Z', '0', 'é', 'ß', '名', 'ไ', '\u{301}', '٣', 'ª', '１'] {
            assert!(is_word_character(character), "{character:?}");
        }
        let invisible = ['\u{200b}', '\u{200d}', '\u{feff}', '\u{ad}', '\u{34f}', '\u{115f}', '\u{3164}', '\u{fe0f}'];
        let others = ['-', '_', '.', '@', '＠', ' ', '\u{a0}', '\0', '\n', '½', 'Ⅷ', '😀', '\u{202e}', '\u{e000}'];
        for character in invisible.into_iter().chain(others) {
            assert!(!is_word_character(character), "{character:?}");
        }
    }

    proptest! {
        #[test]
        fn the_caseless_form_is_stable_and_blind_to_case(text in r"[\p{L}\p{M}\p{Nd}]{0,8}") {
            let form = caseless(&text);
            prop_assert_eq!(caseless(&form), form.clone());
            prop_assert_eq!(caseless(&nfc(&text)), form.clone());
            prop_assert_eq!(caseless(&ComposingNormalizerBorrowed::new_nfkc().normalize(&text)), form);
        }
    }
}
