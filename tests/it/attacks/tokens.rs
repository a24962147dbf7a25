//! Tokens that are not what they seem, some of them signed with the gateway's own secret.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::World;
use super::forge::{Forge, SECRET, hs256_config, sign};
use crate::harness::Person;
use crate::harness::clients::h1;
use crate::harness::people::{part, problem_code};

/// Fails unless each way in refuses the token as one that is not valid.
async fn assert_refused(world: &World, token: &str, why: &str) {
    let client = h1();
    // A public route would not look at it.
    for path in ["/private", "/maybe", "/auth/me", "/auth/forward"] {
        let answer = client.get(world.gateway.url(path)).bearer_auth(token).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}: {why}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer error=\"invalid_token\"", "{path}: {why}");
        assert_eq!(problem_code(answer).await, "invalid_token", "{path}: {why}");
    }
    assert_eq!(world.upstream.count(), 0, "{why}");
}

async fn assert_taken(world: &World, token: &str) {
    let answer = h1().get(world.gateway.url("/auth/me")).bearer_auth(token).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", part(token, 1));
}

/// Returns an HS256 gateway, somebody at it, and their token to be bent; shows that one signed here is taken.
async fn workshop() -> (World, Person, Forge) {
    let world = World::with(&hs256_config()).await;
    let person = world.person("ada@example.com").await;
    let forge = Forge::of(&person.access);
    assert_taken(&world, &forge.signed()).await;
    (world, person, forge)
}

#[tokio::test]
async fn a_header_that_chooses_its_own_algorithm_key_or_type_is_refused_although_the_secret_is_right() {
    let (world, person, forge) = workshop().await;
    let kid = forge.header["kid"].as_str().unwrap().to_owned();
    for algorithm in
        ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "hs256", "RS256", "ES256", "EdDSA", "HS256 ", "HS2560"]
    {
        assert_refused(&world, &forge.clone().header("alg", algorithm).signed(), algorithm).await;
    }
    for algorithm in ["none", "None", "HS256"] {
        let token = forge.clone().header("alg", algorithm).signed();
        let (bare, _) = token.rsplit_once('.').unwrap();
        for unsigned in [format!("{bare}."), bare.to_owned(), format!("{bare}.AA")] {
            assert_refused(&world, &unsigned, "no signature").await;
        }
    }
    for (algorithm, name) in [(hmac::HMAC_SHA384, "HS384"), (hmac::HMAC_SHA512, "HS512")] {
        let header = forge.clone().header("alg", name).header;
        let token = sign(algorithm, &header.to_string(), &forge.claims.to_string(), SECRET.as_bytes());
        assert_refused(&world, &token, name).await;
    }
    for value in [
        "",
        "../../../../dev/null",
        "/dev/null",
        "' UNION SELECT 'AA",
        "1 OR 1=1",
        "|/usr/bin/id",
        "http://127.0.0.1/key",
        "\u{0}",
        &format!("{kid} "),
        &kid.to_uppercase().replace(char::is_numeric, "x"),
        &format!("{kid}\u{0}"),
        &"k".repeat(4000),
    ] {
        assert_refused(&world, &forge.clone().header("kid", value).signed(), value).await;
        assert_refused(&world, &forge.clone().header("kid", value).signed_with(b""), value).await;
    }
    for value in [Value::Null, json!([kid]), json!({"kid": kid}), json!(0), json!(true)] {
        assert_refused(&world, &forge.clone().header("kid", value.clone()).signed(), &value.to_string()).await;
        assert_refused(&world, &forge.clone().header("alg", value.clone()).signed(), &value.to_string()).await;
        assert_refused(&world, &forge.clone().header("typ", value.clone()).signed(), &value.to_string()).await;
    }
    for kind in ["JWT", "rt+jwt", "jwt", "", "at+jwt;x", "at +jwt", "application/x", "secevent+jwt"] {
        assert_refused(&world, &forge.clone().header("typ", kind).signed(), kind).await;
    }
    for name in ["alg", "kid", "typ"] {
        assert_refused(&world, &forge.clone().without_header(name).signed(), name).await;
    }
    assert_refused(&world, &person.refresh, "a refresh token").await;
}

#[tokio::test]
async fn a_header_that_brings_its_own_key_or_unknown_rules_is_refused() {
    let (world, _, forge) = workshop().await;
    let own_key = json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(b"mine"), "alg": "HS256"});
    for (name, value) in [
        ("jwk", own_key.clone()),
        ("jku", json!("http://127.0.0.1:1/jwks.json")),
        ("x5u", json!("http://127.0.0.1:1/cert.pem")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AA")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", json!(["b64"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("iss", json!("vestibule")),
    ] {
        assert_refused(&world, &forge.clone().header(name, value.clone()).signed(), name).await;
        assert_refused(&world, &forge.clone().header(name, value).signed_with(b"mine"), name).await;
    }
    let kid = forge.header["kid"].as_str().unwrap();
    for header in [
        format!(r#"{{"alg":"none","alg":"HS256","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"HS256","alg":"HS256","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"JWT","typ":"at+jwt"}}"#),
        format!(r#"{{"alg":"HS256","ALG":"none","kid":"{kid}","typ":"at+jwt"}}"#),
        format!(r#"[{{"alg":"HS256","kid":"{kid}","typ":"at+jwt"}}]"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"at+jwt"}}{{}}"#),
        format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"at+jwt",}}"#),
        String::new(),
    ] {
        assert_refused(
            &world,
            &sign(hmac::HMAC_SHA256, &header, &forge.claims.to_string(), SECRET.as_bytes()),
            &header,
        )
        .await;
    }
}

#[tokio::test]
async fn no_claim_of_the_wrong_kind_counts_as_absent_or_is_converted() {
    let (world, _, forge) = workshop().await;
    let odd = [
        json!(1.5),
        json!(-1),
        json!({}),
        json!([]),
        json!([[]]),
        json!(true),
        json!(1e300),
        json!(u64::MAX),
        Value::Null,
    ];
    for name in ["exp", "nbf", "iat", "iss", "aud", "sub", "jti", "sid", "type", "scope", "email", "username", "roles"]
    {
        for value in odd.iter().filter(|value| !(name == "aud" || name == "roles") || **value != json!([])) {
            assert_refused(&world, &forge.clone().claim(name, value.clone()).signed(), &format!("{name}: {value}"))
                .await;
        }
    }
    for name in ["exp", "nbf", "iat"] {
        for value in ["9999999999", "0", "", "never", "2099-01-01T00:00:00Z"] {
            assert_refused(&world, &forge.clone().claim(name, value).signed(), &format!("{name}: {value:?}")).await;
        }
    }
    for (name, value) in [
        ("iss", json!("")),
        ("iss", json!("vestibule ")),
        ("iss", json!("Vestibule")),
        ("iss", json!(["vestibule"])),
        ("type", json!("refresh")),
        ("type", json!("ACCESS")),
        ("type", json!("")),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sid", json!("")),
        ("sid", json!("../x")),
        ("jti", json!("")),
        ("roles", json!("admin")),
        ("roles", json!(["admin", 1])),
        ("roles", json!({"admin": true})),
        ("scope", json!(["docs:read"])),
        ("exp", json!(1)),
        ("nbf", json!(4_000_000_000_u64)),
    ] {
        assert_refused(&world, &forge.clone().claim(name, value.clone()).signed(), &format!("{name}: {value}")).await;
    }
    for name in ["exp", "iat", "iss", "sub", "jti", "sid", "type"] {
        assert_refused(&world, &forge.clone().without_claim(name).signed(), &format!("no {name}")).await;
    }
}

#[tokio::test]
async fn a_payload_with_a_repeated_claim_or_that_is_no_object_is_refused() {
    let (world, _, forge) = workshop().await;
    let (header, claims) = (forge.header.to_string(), forge.claims.to_string());
    let open = claims.strip_suffix('}').unwrap();
    let mut payloads: Vec<String> =
        forge.claims.as_object().unwrap().iter().map(|(name, value)| format!("{open},\"{name}\":{value}}}")).collect();
    assert!(payloads.len() > 8);
    payloads.push(format!("{open},\"exp\":4000000000}}"));
    payloads.push(format!("{open},\"roles\":[\"admin\"]}}"));
    payloads.push(format!("{{\"exp\":4000000000,{}", claims.strip_prefix('{').unwrap()));
    payloads.extend([
        format!("[{claims}]"),
        format!("{claims}{claims}"),
        format!("{claims} x"),
        "null".into(),
        "\"\"".into(),
        String::new(),
    ]);
    for payload in payloads {
        let token = sign(hmac::HMAC_SHA256, &header, &payload, SECRET.as_bytes());
        assert_refused(&world, &token, &payload).await;
    }
}

#[tokio::test]
async fn a_token_that_is_cut_lengthened_or_changed_anywhere_is_refused() {
    let (world, person, _) = workshop().await;
    let token = &person.access;
    let mut bent = vec![
        format!("{token}="),
        format!("{token}=="),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{token}"),
    ];
    bent.extend([
        token.replace('.', ".."),
        token.replace('.', "="),
        token.to_lowercase(),
        token.to_uppercase(),
        format!("{token}A"),
    ]);
    bent.extend((0..token.len()).step_by(7).map(|end| token[..end].to_owned()));
    for at in (0..token.len()).step_by(11) {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        bent.push(format!("{}{other}{}", &token[..at], &token[at + 1..]));
    }
    for token in bent {
        assert_refused(&world, &token, &token).await;
    }
    assert_taken(&world, token).await;
}

#[tokio::test]
async fn a_public_key_is_no_secret_and_no_algorithm_is_taken_from_the_header() {
    for algorithm in ["EdDSA", "ES256", "RS256"] {
        let world = World::with(&format!("[auth]\nalgorithm = \"{algorithm}\"")).await;
        let person = world.person("ada@example.com").await;
        assert_taken(&world, &person.access).await;
        let keys: Value =
            h1().get(world.gateway.url("/auth/.well-known/jwks.json")).send().await.unwrap().json().await.unwrap();
        let key = &keys["keys"][0];
        let mut secrets: Vec<Vec<u8>> = vec![Vec::new(), key.to_string().into_bytes(), keys.to_string().into_bytes()];
        for member in ["x", "y", "n", "kid"] {
            let Some(text) = key[member].as_str() else { continue };
            secrets.push(text.as_bytes().to_vec());
            let Ok(raw) = URL_SAFE_NO_PAD.decode(text) else { continue };
            secrets.push(
                format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&raw))
                    .into_bytes(),
            );
            secrets.push(raw);
        }
        let forge = Forge::of(&person.access);
        for name in ["HS256", "none", algorithm, "HS512"] {
            for secret in &secrets {
                assert_refused(&world, &forge.clone().header("alg", name).signed_with(secret), name).await;
            }
        }
        let own_key = forge.clone().header("jwk", key.clone());
        assert_refused(&world, &own_key.signed_with(b"x"), "an embedded key").await;
    }
}

#[tokio::test]
async fn a_token_of_another_gateway_is_refused_whatever_the_two_have_in_common() {
    let audience = |name: &str| format!("{}\naudience = [\"{name}\"]", hs256_config());
    let issuer = |name: &str| format!("{}\nissuer = \"https://{name}.test\"", hs256_config());
    let pairs = [
        (String::new(), String::new(), "same issuer, other keys"),
        (issuer("a"), issuer("b"), "same key, other issuer"),
        (audience("a"), audience("b"), "same key, other audience"),
        (hs256_config(), hs256_config().replace(SECRET, &SECRET.to_uppercase()), "same issuer, other secret"),
    ];
    for (first, second, why) in pairs {
        let (here, there) = (World::with(&first).await, World::with(&second).await);
        let person = here.person("ada@example.com").await;
        assert_taken(&here, &person.access).await;
        assert_refused(&there, &person.access, why).await;
    }
}

#[tokio::test]
async fn a_good_credential_beside_a_bad_one_has_one_result_and_it_is_refusal() {
    let world = World::start().await;
    let person = world.person("ada@example.com").await;
    let good = format!("Bearer {}", person.access);
    for other in ["Bearer garbage", "Basic YTpi", good.as_str(), ""] {
        for (first, second) in [(good.as_str(), other), (other, good.as_str())] {
            for path in ["/private", "/maybe", "/auth/me", "/auth/forward"] {
                let request =
                    h1().get(world.gateway.url(path)).header("authorization", first).header("authorization", second);
                assert_eq!(request.send().await.unwrap().status(), 400, "{first} and {second} at {path}");
            }
        }
    }
    for value in [
        format!("{good}, Bearer garbage"),
        format!("Bearer garbage, {good}"),
        format!("{good}\u{a0}"),
        format!("Bearer {good}"),
    ] {
        let answer =
            h1().get(world.gateway.url("/private")).header("authorization", value.as_bytes()).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{value}");
    }
    for path in [format!("/private?access_token={}", person.access), format!("/private?token={}", person.access)] {
        assert_eq!(h1().get(world.gateway.url(&path)).send().await.unwrap().status(), 401, "a token in a query");
    }
    let cookie = format!("access_token={}; session={}", person.access, person.access);
    let answer = h1().get(world.gateway.url("/private")).header("cookie", cookie).send().await.unwrap();
    assert_eq!(answer.status(), 401, "a token in a cookie");
    assert_eq!(world.upstream.count(), 0);
}
