//! Exit codes and what is said with them; what a restart finds.

use reqwest::StatusCode;
use serde_json::json;

use crate::harness::clients::h1;
use crate::harness::people::post;
use crate::harness::{Gateway, PASSWORD, Person, serve};

const ROUTE: &str = "[[route]]\npath = \"/\"\nupstream = \"http://127.0.0.1:1\"\n";

#[tokio::test]
async fn a_bad_configuration_is_78_with_every_mistake_and_its_place() {
    let (code, said) = Gateway::refuse_to_start(
        "[server]\ndrian = \"5s\"\n[auth]\nalgorithm = \"none\"\naccess_ttl = \"soon\"\n\
         [[route]]\npath = \"/\"\nupstream = \"nowhere\"\n",
    )
    .await;
    assert_eq!(code, 78);
    for mistake in ["drian", "drain", "none", "EdDSA", "soon", "nowhere"] {
        assert!(said.contains(mistake), "`{mistake}` is not said:\n{said}");
    }
    assert!(said.matches("vestibule.toml:").count() >= 4, "{said}");
}

#[tokio::test]
async fn a_profile_without_its_secret_is_78_with_the_variable_that_it_wants() {
    for (profile, variables) in [
        ("ravyn", &["SECRET_KEY"][..]),
        ("auth-jwt", &["JWT_SECRET_KEY"]),
        ("zentra", &["AUTH__SECRET_ACCESS_KEY", "AUTH__SECRET_REFRESH_KEY"]),
    ] {
        let (code, said) = Gateway::refuse_to_start(&format!("[auth]\nprofile = {profile:?}\n{ROUTE}")).await;
        assert_eq!(code, 78, "{said}");
        for variable in variables {
            assert!(said.contains(&format!("env:{variable}`, which is not set")), "{variable}:\n{said}");
        }
    }
}

#[tokio::test]
async fn a_store_in_a_folder_that_is_missing_is_69() {
    let (code, said) =
        Gateway::refuse_to_start(&format!("[store]\nurl = \"sqlite:missing/folder/v.db\"\n{ROUTE}")).await;
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("missing/folder"), "{said}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_71() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for key in ["listen = [\"ADDRESS\"]", "ops_listen = \"ADDRESS\"", "redirect_http = \"ADDRESS\""] {
        let given = format!("[server]\n{}\n{ROUTE}", key.replace("ADDRESS", &address.to_string()));
        let (code, said) = Gateway::refuse_to_start(&given).await;
        assert_eq!(code, 71, "{key}: {said}");
        assert!(said.contains(&address.to_string()), "{said}");
    }
}

#[tokio::test]
async fn certificates_that_are_missing_or_do_not_fit_their_key_are_78() {
    let tls = "[tls]\nmode = \"files\"\n[[tls.certificate]]\ncert = \"nowhere.pem\"\nkey = \"nowhere.key\"";
    let (code, said) = Gateway::refuse_to_start(&format!("{tls}\n{ROUTE}")).await;
    assert_eq!(code, 78, "{said}");
    assert!(said.contains("nowhere.pem"), "{said}");
}

#[tokio::test]
async fn what_was_answered_with_201_is_there_after_a_power_cut() {
    let (mut gateway, _upstream) = serve("").await;
    let person = Person::register(&gateway, &h1(), "ada@example.com").await;
    gateway.kill().await;
    gateway.restart().await;
    let client = h1();
    assert_eq!(person.get(&gateway, &client, "/private").await.status(), StatusCode::OK, "its token still is good");
    Person::log_in(&gateway, &client, "ada@example.com").await;
    let answer = post(&gateway, &client, "/auth/refresh", &json!({"refresh_token": person.refresh})).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let again = json!({"email": "ada@example.com", "password": PASSWORD});
    let answer = post(&gateway, &client, "/auth/register", &again).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
}

#[tokio::test]
async fn a_logout_that_was_acknowledged_holds_after_a_power_cut() {
    let (mut gateway, _upstream) = serve("").await;
    let client = h1();
    let person = Person::register(&gateway, &client, "ada@example.com").await;
    person.log_out(&gateway, &client).await;
    gateway.kill().await;
    gateway.restart().await;
    assert_eq!(person.get(&gateway, &h1(), "/private").await.status(), StatusCode::UNAUTHORIZED);
}
