//! The description (`OpenAPI` 3.1) of the endpoints, made from the route table, so that no route can be left out: a route without
//! words for it does not compile.

use serde_json::{Map, Value, json};

use super::ApiSettings;
use super::routes::{Needs, Operation, offered};
use crate::http::answers::Shape;

/// What the document says of one operation.
struct Words {
    summary: &'static str,
    input: Input,
    /// Status and schema (empty: no body) of success.
    success: (u16, &'static str),
    /// Statuses of refusals beside 400, 401, 404, 405, 429 and 503, which any may answer.
    refusals: &'static [u16],
}

enum Input {
    Nothing,
    Json(&'static str),
    Form(&'static str),
}

fn words(operation: Operation) -> Words {
    use Input::{Form, Json, Nothing};
    let of = |summary, input, success, refusals| Words { summary, input, success, refusals };
    match operation {
        Operation::Register => of("Make an account", Json("Registration"), (201, "Grant"), &[403, 409, 415, 422]),
        Operation::Login => of("Sign in", Json("Login"), (200, "Grant"), &[415, 422]),
        Operation::Refresh => of("Trade a refresh token", Json("RefreshToken"), (200, "Grant"), &[415, 422]),
        Operation::Logout => of("End this session", Json("OptionalRefreshToken"), (204, ""), &[415]),
        Operation::LogoutAll => of("End all sessions", Nothing, (204, ""), &[]),
        Operation::ShowMe => of("Read one's own record", Nothing, (200, "Profile"), &[]),
        Operation::ChangeMe => of("Change one's own record", Json("ProfileChange"), (200, "Profile"), &[409, 415, 422]),
        Operation::DeleteMe => of("Delete one's account", Json("Password"), (204, ""), &[415, 422]),
        Operation::ListSessions => of("List one's sessions", Nothing, (200, "Sessions"), &[]),
        Operation::EndSession => of("End one of one's sessions", Nothing, (204, ""), &[]),
        Operation::ChangePassword => of("Change the password", Json("PasswordChange"), (204, ""), &[415, 422]),
        Operation::ForgotPassword => {
            of("Ask for a mail to choose a new password by", Json("EmailAddress"), (202, ""), &[415, 422])
        }
        Operation::ResetPassword => {
            of("Choose a new password by what a mail brought", Json("PasswordReset"), (204, ""), &[415, 422])
        }
        Operation::VerifyEmail => {
            of("Show that the address is one's own", Json("OneTimeToken"), (204, ""), &[415, 422])
        }
        Operation::SendVerification => of("Ask for a mail that verifies the address", Nothing, (202, ""), &[422]),
        Operation::ListKeys => of("List one's API keys", Nothing, (200, "ApiKeys"), &[]),
        Operation::MakeKey => {
            of("Make an API key, shown this once", Json("WantedKey"), (201, "NewApiKey"), &[409, 415, 422])
        }
        Operation::RevokeKey => of("Take one of one's API keys back", Nothing, (204, ""), &[]),
        Operation::IssueToken => of("Token endpoint (RFC 6749)", Form("TokenRequest"), (200, "TokenAnswer"), &[]),
        Operation::VerifyBearer => of("Verify the bearer token", Nothing, (200, "ActiveToken"), &[]),
        Operation::VerifyGiven => of("Verify the token in the path", Nothing, (200, "ActiveToken"), &[]),
        Operation::Introspect => of("Introspection (RFC 7662)", Form("GivenToken"), (200, "ActiveToken"), &[]),
        Operation::Revoke => of("Revocation (RFC 7009)", Form("GivenToken"), (200, ""), &[]),
        Operation::KeySet => of("Public keys (RFC 7517)", Nothing, (200, "Object"), &[]),
        Operation::Metadata => of("Server metadata (RFC 8414)", Nothing, (200, "Object"), &[]),
        Operation::Description => of("This document", Nothing, (200, "Object"), &[]),
    }
}

/// Whether the configuration declares fields of users.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profiles {
    Declared,
    None,
}

/// Returns the document for endpoints with these settings.
pub fn document(settings: &ApiSettings, profiles: Profiles) -> Value {
    let mut paths = Map::new();
    for resource in offered(settings.mail) {
        let mut item = Map::new();
        for (method, operation, needs) in resource.operations {
            let described = describe(settings, resource.name, *operation, *needs);
            item.insert(method.as_str().to_ascii_lowercase(), described);
        }
        if let Some((_, parameter)) = resource.path.split_once('{') {
            let name = parameter.trim_end_matches('}');
            let schema = json!({"type": "string"});
            item.insert("parameters".into(), json!([{"name": name, "in": "path", "required": true, "schema": schema}]));
        }
        let prefix = settings.prefix.trim_end_matches('/');
        let below = resource.path.find("/{").map_or("", |at| &resource.path[at..]);
        for (_, path) in settings.extra_paths.iter().filter(|(name, _)| name == resource.name) {
            paths.insert(format!("{}{below}", path.trim_end_matches('/')), Value::Object(without_ids(&item)));
        }
        paths.insert(format!("{prefix}{}", resource.path), Value::Object(item));
    }
    paths.insert(format!("{}/forward", settings.prefix.trim_end_matches('/')), forward_auth());
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Vestibule", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "basic": {"type": "http", "scheme": "basic", "description": "The password is an API key"},
            },
            "schemas": with_profiles(schemas(&settings.access_token_name), profiles),
        },
    })
}

/// Served beside the routes, by `gateway`, and no less an endpoint for that.
fn forward_auth() -> Value {
    let refused = json!({"application/problem+json": {"schema": reference("Problem")}});
    json!({"get": {
        "operationId": "ForwardAuth",
        "summary": "Ask on behalf of another proxy whether a request may pass",
        "security": [{"bearer": []}],
        "responses": {
            "200": {"description": "It may; the identity headers say who asks"},
            "401": {"description": "Not without a credential", "content": refused.clone()},
            "403": {"description": "Not this caller", "content": refused},
        },
    }})
}

fn describe(settings: &ApiSettings, endpoint: &str, operation: Operation, needs: Needs) -> Value {
    let words = words(operation);
    let mut responses = Map::new();
    let (status, schema) = words.success;
    let (status, success) = success(settings, endpoint, status, schema);
    responses.insert(status.to_string(), success);
    let problem = match settings.answers.shape {
        Shape::Plain => json!({"application/problem+json": {"schema": reference("Problem")}}),
        Shape::Envelope => json!({"application/json": {"schema": reference("Refusal")}}),
    };
    for status in [400, 401, 404, 405, 429, 503].iter().chain(words.refusals) {
        responses.insert(status.to_string(), json!({"description": "Refused", "content": problem}));
    }
    let mut described = json!({
        "operationId": format!("{operation:?}"),
        "summary": words.summary,
        "responses": responses,
    });
    if let Some((media, schema)) = match words.input {
        Input::Nothing => None,
        Input::Json(schema) => Some(("application/json", schema)),
        Input::Form(schema) => Some(("application/x-www-form-urlencoded", schema)),
    } {
        described["requestBody"] = json!({"content": {media: {"schema": reference(schema)}}});
    }
    if operation == Operation::Refresh {
        describe_places(&mut described, settings);
    }
    match needs {
        Needs::Nothing => {}
        Needs::Bearer => described["security"] = json!([{"bearer": []}]),
        Needs::Account => described["security"] = json!([{"bearer": []}, {"apiKey": []}, {"basic": []}]),
    }
    described
}

/// Returns status and description of success, as the configuration shapes it.
fn success(settings: &ApiSettings, endpoint: &str, status: u16, schema: &str) -> (u16, Value) {
    if schema.is_empty() {
        return (status, json!({"description": "Done"}));
    }
    let wanted = settings.answers.of.get(endpoint);
    let status = wanted.and_then(|wanted| wanted.status).map_or(status, |status| status.as_u16());
    let has_message = wanted.is_some_and(|wanted| wanted.message.is_some());
    let picked = wanted.and_then(|wanted| wanted.fields.as_deref());
    let (name, said) = match picked {
        _ if has_message => ("message", text()),
        Some(names) => ("data", picked_members(names, &settings.access_token_name)),
        None => ("data", reference(schema)),
    };
    let schema = if settings.answers.wraps(endpoint) {
        let mut whole = envelope("success");
        whole["properties"][name] = said;
        whole
    } else if has_message {
        open(&json!({"message": said}))
    } else {
        said
    };
    (status, json!({"description": "Done", "content": {"application/json": {"schema": schema}}}))
}

fn picked_members(names: &[String], access_token_name: &str) -> Value {
    let shown = |name: &String| if name == "access_token" { access_token_name } else { name }.to_owned();
    let members: Map<String, Value> = names.iter().map(|name| (shown(name), json!({}))).collect();
    open(&Value::Object(members))
}

/// Returns the members that all envelopes have.
fn envelope(status: &str) -> Value {
    open(&json!({
        "status": {"const": status}, "code": {"type": "integer"}, "response": text(),
        "headers": {"type": ["object", "null"]},
    }))
}

fn profile() -> Value {
    open(&json!({
        "id": text(), "email": maybe(), "username": maybe(), "first_name": maybe(), "last_name": maybe(),
        "full_name": maybe(), "phone": maybe(), "is_active": {"type": "boolean"},
        "email_verified": {"type": "boolean"}, "roles": {"type": "array", "items": text()}, "created_at": moment(),
    }))
}

fn problem() -> Value {
    open(&json!({
        "type": text(), "title": text(), "status": {"type": "integer"}, "detail": text(), "code": text(),
        "errors": {"type": "array", "items": open(&json!({"field": text(), "code": text(), "message": text()}))},
    }))
}

fn refusal() -> Value {
    let mut whole = envelope("error");
    whole["properties"]["message"] = text();
    whole
}

/// Says where a refresh token may stand.
fn describe_places(described: &mut Value, settings: &ApiSettings) {
    let places = settings.refresh_from;
    let schema = json!({"schema": reference("RefreshToken")});
    let mut content = Map::new();
    if places.json {
        content.insert("application/json".to_owned(), schema.clone());
    }
    if places.form {
        content.insert("application/x-www-form-urlencoded".to_owned(), schema);
    }
    described["requestBody"] = json!({"content": content});
    if places.query {
        described["parameters"] = json!([{"name": "refresh_token", "in": "query", "schema": text()}]);
    }
}

/// An operation has one id however many paths lead to it.
fn without_ids(item: &Map<String, Value>) -> Map<String, Value> {
    let mut item = item.clone();
    for operation in item.values_mut().filter_map(Value::as_object_mut) {
        operation.remove("operationId");
    }
    item
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

/// Returns what requests may hold, then what answers hold.
fn schemas(access_token_name: &str) -> Value {
    let mut schemas = requested();
    let Value::Object(answered) = answered(access_token_name) else { return schemas };
    for (name, schema) in answered {
        schemas[name] = schema;
    }
    schemas
}

fn requested() -> Value {
    const OWN: [&str; 6] = ["email", "username", "first_name", "last_name", "full_name", "phone"];
    let registration: Vec<&str> = OWN.into_iter().chain(["password"]).collect();
    json!({
        "Registration": closed(&registration, &["password"]),
        "Login": closed(&["email", "username", "password"], &["password"]),
        "RefreshToken": closed(&["refresh_token"], &["refresh_token"]),
        "OptionalRefreshToken": closed(&["refresh_token"], &[]),
        "Password": closed(&["password"], &["password"]),
        "PasswordChange": closed(&["current_password", "new_password"], &["current_password", "new_password"]),
        "EmailAddress": closed(&["email"], &["email"]),
        "PasswordReset": closed(&["token", "new_password"], &["token", "new_password"]),
        "OneTimeToken": closed(&["token"], &["token"]),
        "ProfileChange": nullable(&OWN),
        "TokenRequest": open(&json!({
            "grant_type": {"enum": ["password", "refresh_token"]},
            "username": text(), "password": text(), "refresh_token": text(), "scope": text(),
        })),
        "GivenToken": open(&json!({"token": text(), "token_type_hint": text()})),
        "WantedKey": {
            "type": "object",
            "properties": {
                "name": text(), "scopes": {"type": "array", "items": text()}, "expires_in": {"type": "integer"},
            },
            "required": ["name"],
            "additionalProperties": false,
        },
    })
}

fn answered(access_token_name: &str) -> Value {
    json!({
        "Grant": open(&json!({
            "user_id": text(), access_token_name: text(), "refresh_token": text(), "token_type": {"const": "bearer"},
            "expires_in": {"type": "integer"},
        })),
        "TokenAnswer": open(&json!({
            "access_token": text(), "refresh_token": text(), "token_type": {"const": "bearer"},
            "expires_in": {"type": "integer"}, "scope": text(),
        })),
        "Profile": profile(),
        "Sessions": {"type": "array", "items": open(&json!({
            "id": text(), "created_at": moment(), "last_used_at": moment(), "ip": text(), "user_agent": text(),
            "current": {"type": "boolean"},
        }))},
        "ApiKeys": {"type": "array", "items": open(&api_key())},
        "NewApiKey": open(&{
            let mut made = api_key();
            made["key"] = text();
            made
        }),
        "ActiveToken": open(&json!({
            "active": {"type": "boolean"}, "type": text(), "iss": text(), "sub": text(), "sid": text(),
            "exp": {"type": "integer"}, "scope": text(), "roles": {"type": "array", "items": text()},
            "email": text(), "username": text(),
        })),
        "Problem": problem(),
        "Refusal": refusal(),
        "Object": {"type": "object"},
    })
}

fn api_key() -> Value {
    let maybe_moment = || json!({"type": ["string", "null"], "format": "date-time"});
    json!({
        "id": text(), "name": text(), "scopes": {"type": "array", "items": text()}, "created_at": moment(),
        "expires_at": maybe_moment(), "last_used_at": maybe_moment(),
    })
}

fn text() -> Value {
    json!({"type": "string"})
}

fn maybe() -> Value {
    json!({"type": ["string", "null"]})
}

fn moment() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn open(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// Returns the schema of an object that has no other members than these texts.
fn closed(names: &[&str], required: &[&str]) -> Value {
    let properties: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), text())).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn nullable(names: &[&str]) -> Value {
    let properties: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), maybe())).collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// Adds the object of declared fields where it is taken and shown.
fn with_profiles(mut schemas: Value, profiles: Profiles) -> Value {
    if profiles == Profiles::Declared {
        for name in ["Registration", "ProfileChange", "Profile"] {
            schemas[name]["properties"]["profile"] = json!({"type": ["object", "null"]});
        }
    }
    schemas
}
