//! `[auth.user_fields]`: what else a user has, and who may write it.

use crate::config::document::Fault;
use crate::config::section::Section;
use crate::identity::profile::{Kind, MAX_FIELDS, MAX_LENGTH, USUAL_LENGTH, UserField, UserFields, Writer};

const NAME: &str = "a name of 1 to 64 lower-case letters, digits and `_`, a letter first";

pub(super) fn user_fields(section: &Section<'_>) -> UserFields {
    let mut fields = UserFields::new();
    for (name, at) in section.keys() {
        let field = user_field(&section.table(&name));
        if !is_name(&name) {
            section.document.refuse(&at, &section.path, Fault::new(format!("{name:.80?}"), NAME));
        } else if fields.len() == MAX_FIELDS {
            let expected = format!("at most {MAX_FIELDS} fields");
            section.document.refuse(&at, &section.path, Fault::new(format!("`{name}` beyond them"), expected));
            break;
        } else {
            fields.insert(name, field);
        }
    }
    fields
}

/// Stores take such names as they are, and a path in an answer (`profile.name`) can be read in one way.
fn is_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn user_field(section: &Section<'_>) -> UserField {
    let mut field = UserField {
        kind: Kind::Text,
        required: false,
        writer: Writer::User,
        values: Vec::new(),
        max_length: USUAL_LENGTH,
    };
    section.choice("type", &mut field.kind, &Kind::ALL);
    section.bool("required", &mut field.required);
    section.choice("write", &mut field.writer, &[("user", Writer::User), ("admin", Writer::Operator)]);
    section.integer("max_length", &mut field.max_length, 1..=MAX_LENGTH);
    section.list("values", &mut field.values, "a text that the field may be", |text| {
        if text.trim() == text && !text.is_empty() && !text.contains(char::is_control) {
            Ok(text.to_owned())
        } else {
            Err(None)
        }
    });
    if field.required && field.writer == Writer::Operator {
        let found = "required of a registration, which may not write it";
        section.refuse("required", Fault::new(found, "false, or write = \"user\""));
    }
    if !field.values.is_empty() && field.kind != Kind::Text {
        let found = format!("values of a field of type {:?}", field.kind.name());
        section.refuse("values", Fault::new(found, "none, or type = \"string\""));
    }
    field
}
