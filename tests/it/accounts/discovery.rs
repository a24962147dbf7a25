//! What the gateway says of itself.

use serde_json::{Value, json};

use crate::harness::clients::h1;
use crate::harness::serve;

#[tokio::test]
async fn the_metadata_names_the_issuer_and_endpoints_that_are_there_whatever_host_asks() {
    let (gateway, _upstream) = serve("[server]\npublic_url = \"https://id.example.com\"").await;
    let client = h1();
    for (host, path) in [
        ("gateway.test", "/auth/.well-known/oauth-authorization-server"),
        ("other.test", "/.well-known/oauth-authorization-server"),
    ] {
        let answer = client.get(gateway.url_of(host, path)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let metadata: Value = answer.json().await.unwrap();
        assert_eq!(metadata["issuer"], "https://id.example.com");
        for name in ["token_endpoint", "jwks_uri", "revocation_endpoint", "introspection_endpoint"] {
            let url = metadata[name].as_str().unwrap();
            let path = url.strip_prefix("https://id.example.com").unwrap_or_else(|| panic!("{name}: {url}"));
            let there = client.get(gateway.url(path)).send().await.unwrap().status();
            assert!(there == 200 || there == 405, "{name} is not there: {there}");
        }
        assert_eq!(metadata["grant_types_supported"], json!(["password", "refresh_token"]));
    }
}

#[tokio::test]
async fn the_openapi_document_lists_every_endpoint_and_all_of_them_are_there() {
    let (gateway, _upstream) = serve("").await;
    let client = h1();
    let document: Value = client.get(gateway.url("/auth/openapi.json")).send().await.unwrap().json().await.unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, method) in [
        ("/auth/register", "post"),
        ("/auth/login", "post"),
        ("/auth/refresh", "post"),
        ("/auth/logout", "post"),
        ("/auth/logout/all", "post"),
        ("/auth/me", "get"),
        ("/auth/me", "patch"),
        ("/auth/me", "delete"),
        ("/auth/sessions", "get"),
        ("/auth/sessions/{id}", "delete"),
        ("/auth/password/change", "post"),
        ("/auth/token", "post"),
        ("/auth/token/verify", "get"),
        ("/auth/token/verify/{token}", "get"),
        ("/auth/introspect", "post"),
        ("/auth/revoke", "post"),
        ("/auth/forward", "get"),
        ("/auth/.well-known/jwks.json", "get"),
        ("/auth/.well-known/oauth-authorization-server", "get"),
        ("/auth/openapi.json", "get"),
    ] {
        assert!(paths.get(path).is_some_and(|item| item.get(method).is_some()), "{method} {path} is not described");
    }
    for path in paths.keys() {
        let answer = client.request(http::Method::OPTIONS, gateway.url(&path.replace(['{', '}'], ""))).send().await;
        assert_ne!(answer.unwrap().status(), 404, "{path} is described and not there");
    }
}
