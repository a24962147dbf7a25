//! People of a system that kept them in MongoDB move in.

use ::mongodb::Client;
use ::mongodb::bson::{DateTime, Document, doc, oid::ObjectId};
use reqwest::StatusCode;
use serde_json::json;

use crate::harness::clients::h1;
use crate::harness::command::run;
use crate::harness::mongodb::{self, Deployment};
use crate::harness::people::post;
use crate::harness::serve;

/// argon2-cffi's, of `correct horse battery`.
const HASH: &str = "$argon2id$v=19$m=64,t=2,p=1$IVy+JNd2UOlqAUwha25zoA$fbBxX7O/Z9soEggvpWamYdhytEhiky7kTuzM3aAbiEg";

fn account(name: &str) -> Document {
    doc! {
        "_id": ObjectId::new(),
        "email": format!("{name}@example.com"),
        "hashed_password": HASH,
        "created_at": DateTime::from_millis(1_700_000_000_000),
    }
}

#[tokio::test]
async fn a_collection_of_auth_jwt_comes_over_and_its_people_sign_in() {
    let Some(deployment) = mongodb::shared() else { return };
    let uri = deployment.url(&Deployment::new_database());
    let accounts = [account("ada"), account("bob"), doc! { "_id": ObjectId::new(), "hashed_password": HASH }];
    let ada = accounts[0].get_object_id("_id").unwrap().to_hex();
    let client = Client::with_uri_str(&uri).await.unwrap();
    client.default_database().unwrap().collection::<Document>("users").insert_many(accounts).await.unwrap();

    let (gateway, _upstream) = serve("").await;
    let import = |more: &[&str]| {
        run(&gateway, &[&["user", "import", "--format", "mongodb", "--profile", "auth-jwt", &uri], more].concat())
    };
    let refused = import(&["--collection", "people"]);
    assert!(refused.code == 1 && refused.stderr.contains("the database has users"), "{}", refused.stderr);
    let come = import(&[]);
    assert!(come.code == 1 && come.stderr.contains("email"), "one has no name: {}", come.stderr);
    let shown = run(&gateway, &["user", "show", "ada@example.com", "--json"]).json();
    assert_eq!(shown["external_id"], json!(ada));
    for name in ["ada", "bob"] {
        let typed = json!({"email": format!("{name}@example.com"), "password": "correct horse battery"});
        assert_eq!(post(&gateway, &h1(), "/auth/login", &typed).await.status(), StatusCode::OK);
    }
    let again = import(&[]);
    assert!(again.stdout.contains('2') && !again.stderr.contains("ada@"), "{} {}", again.stdout, again.stderr);
    assert_eq!(run(&gateway, &["user", "list", "--json"]).ok().lines().count(), 2);
}
