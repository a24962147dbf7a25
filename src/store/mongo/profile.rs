//! What a profile holds as documents hold it: readable by people, and exact, so that what was moved here and back is what it was.

use mongodb::bson::{Bson, Decimal128, Document};
use serde_json::{Number, Value};

use crate::store::ProfileFields;

pub(super) fn document_of(profile: &ProfileFields) -> Document {
    profile.iter().map(|(name, value)| (name.clone(), bson_of(value))).collect()
}

/// Returns `None` if something in it is not JSON, such as a date that was put there by hand.
pub(super) fn profile_of(document: &Document) -> Option<ProfileFields> {
    document.iter().map(|(name, value)| Some((name.clone(), json_of(value)?))).collect()
}

fn bson_of(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(flag) => Bson::Boolean(*flag),
        Value::Number(number) => bson_of_number(number),
        Value::String(text) => Bson::String(text.clone()),
        Value::Array(items) => Bson::Array(items.iter().map(bson_of).collect()),
        Value::Object(fields) => Bson::Document(document_of(fields)),
    }
}

fn bson_of_number(number: &Number) -> Bson {
    if let Some(whole) = number.as_i64() {
        return Bson::Int64(whole);
    }
    // Beyond 2^63 a double would round.
    let exact = number.is_u64().then(|| number.to_string().parse::<Decimal128>().ok()).flatten();
    exact.map_or_else(|| Bson::Double(number.as_f64().unwrap_or_default()), Bson::Decimal128)
}

fn json_of(value: &Bson) -> Option<Value> {
    Some(match value {
        Bson::Null => Value::Null,
        Bson::Boolean(flag) => Value::Bool(*flag),
        Bson::Int32(number) => Value::from(*number),
        Bson::Int64(number) => Value::from(*number),
        Bson::Double(number) => Value::Number(Number::from_f64(*number)?),
        Bson::Decimal128(number) => Value::from(number.to_string().parse::<u64>().ok()?),
        Bson::String(text) => Value::String(text.clone()),
        Bson::Array(items) => Value::Array(items.iter().map(json_of).collect::<Option<_>>()?),
        Bson::Document(fields) => Value::Object(profile_of(fields)?),
        // Marked non-exhaustive by the library; none of the others is JSON.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_a_profile_holds_reads_back_as_it_was() {
        let profile = json!({
            "none": null, "yes": true, "small": -3, "large": i64::MAX, "larger": u64::MAX, "odd": 0.1, "whole": 5.0,
            "text": "Grüße", "list": [1, "a", [false]], "inner": { "$oid": "5f", "deep": { "x": 1e300 } },
        });
        let profile = profile.as_object().unwrap();
        let back = profile_of(&document_of(profile)).unwrap();
        assert_eq!(&back, profile);
        assert_eq!(Value::from(back).to_string(), Value::from(profile.clone()).to_string());
    }

    #[test]
    fn what_is_not_json_is_not_made_into_it() {
        let mut document = Document::new();
        document.insert("at", mongodb::bson::DateTime::MAX);
        assert_eq!(profile_of(&document), None);
    }
}
