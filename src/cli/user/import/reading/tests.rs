//! How other systems write what we want to know.

use serde_json::json;

use super::*;
use crate::cli::command::Origin;
use crate::identity::profile::UserFields;

fn read(origin: Option<Origin>, record: &Value) -> Result<Newcomer, Refusal> {
    let map = FieldMap::new(origin, &[], &UserFields::new()).unwrap();
    newcomer(&map, record.as_object().unwrap())
}

#[test]
fn a_document_of_mongoz_is_read_as_mongoexport_writes_it() {
    let document = json!({
        "_id": {"$oid": "65f1c0ffee65f1c0ffee65f1"}, "first_name": "Ada", "last_name": "L", "username": "ada",
        "email": "ada@example.com", "password": "$2b$10$x", "last_login": null, "is_active": true, "is_staff": true,
        "is_superuser": false, "is_verified": true, "role": "user", "created_at": {"$date": "2024-05-01T10:00:00.25Z"},
    });
    let ada = read(Some(Origin::RavynMongoz), &document).unwrap();
    assert_eq!(ada.external_id.as_deref(), Some("65f1c0ffee65f1c0ffee65f1"));
    assert_eq!((ada.email.as_deref(), ada.password_hash.as_deref()), (Some("ada@example.com"), Some("$2b$10$x")));
    assert_eq!((ada.is_active, ada.email_verified), (Some(true), true));
    assert_eq!(ada.roles, ["user", "staff"]);
    assert_eq!(ada.created_at, Some(Timestamp::from_millis(1_714_557_600_250)));
}

#[test]
fn a_row_of_a_table_is_read_as_sqlite_and_csv_write_it() {
    let row = json!({"id": 17, "username": "ada", "is_active": 0, "hashed_password": "$2b$12$x", "full_name": "Ada L",
                     "created_at": "2024-05-01 10:00:00.250000"});
    let ada = read(Some(Origin::Zentra), &row).unwrap();
    assert_eq!((ada.external_id.as_deref(), ada.is_active), (Some("17"), Some(false)));
    assert_eq!(ada.created_at, Some(Timestamp::from_millis(1_714_557_600_250)));
    let cells =
        json!({"id": "17", "is_active": "t", "created_at": "2024-05-01 10:00:00.25+00", "email": "a@b.example"});
    let ada = read(Some(Origin::AuthJwt), &cells).unwrap();
    assert_eq!((ada.external_id.as_deref(), ada.is_active), (Some("17"), Some(true)));
    assert_eq!(ada.created_at, Some(Timestamp::from_millis(1_714_557_600_250)));
}

#[test]
fn times_are_read_in_every_usual_notation() {
    let noon = Timestamp::from_secs(1_714_564_800);
    let written = [
        json!("2024-05-01T12:00:00Z"),
        json!("2024-05-01T14:00:00+02:00"),
        json!("2024-05-01 14:00:00+02"),
        json!("2024-05-01 12:00:00"),
        json!("2024-05-01T12:00:00.000"),
        json!(1_714_564_800),
        json!(1_714_564_800_000_u64),
        json!({"$date": {"$numberLong": "1714564800000"}}),
    ];
    for value in written {
        assert_eq!(moment(&value), Ok(Some(noon)), "{value}");
    }
    assert_eq!(moment(&json!("2024-05-01")), Ok(Some(Timestamp::from_secs(1_714_521_600))));
    for value in [json!("yesterday"), json!("01.05.2024"), json!(true), json!(1e300), json!(-5), json!("2024-13-01")] {
        assert!(moment(&value).is_err(), "{value}");
    }
}

#[test]
fn roles_come_as_lists_and_as_texts() {
    for value in [json!(["a", "b"]), json!("a,b"), json!("a b"), json!("{a,b}"), json!("[\"a\", \"b\"]")] {
        assert_eq!(roles(&value), Ok(vec!["a".to_owned(), "b".to_owned()]), "{value}");
    }
    assert!(roles(&json!([1])).is_err() && roles(&json!(true)).is_err());
}

#[test]
fn a_value_of_a_wrong_kind_refuses_its_row_by_the_fields_name() {
    let wrong = [
        ("email", json!({"email": ["a@b.example"]})),
        ("password_hash", json!({"password_hash": {"hash": "x"}})),
        ("is_active", json!({"is_active": "perhaps"})),
        ("email_verified", json!({"email_verified": 7})),
        ("created_at", json!({"created_at": "soon"})),
        ("roles", json!({"roles": {"a": 1}})),
        ("profile", json!({"profile": "x"})),
    ];
    for (field, record) in wrong {
        assert_eq!(read(None, &record).err().unwrap().field, field);
    }
}
