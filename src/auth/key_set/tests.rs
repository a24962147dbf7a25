//! A provider on this machine, as it should be and as it should not.

use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::token::jwk;
use crate::token::key::{Key, KeySet};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);
/// Longer than anything here takes; a test that gets this far has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A provider that answers every connection with the same bytes, until it is given others.
struct Provider {
    address: SocketAddr,
    answer: Live<Vec<u8>>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    async fn start(answer: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, asked) = (Live::new(answer), Arc::new(AtomicUsize::new(0)));
        let (shown, counted) = (answer.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (shown, counted) = (shown.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    let mut head = Vec::new();
                    while !head.ends_with(b"\r\n\r\n") {
                        if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    counted.fetch_add(1, Ordering::SeqCst);
                    let _ = stream.write_all(&shown.current()).await;
                });
            }
        });
        Self { address, answer, asked }
    }

    fn url(&self) -> KeySetUrl {
        KeySetUrl::parse(&format!("http://{}/jwks?v=1", self.address)).unwrap()
    }

    fn keys(&self) -> Arc<RemoteKeys> {
        Arc::new(RemoteKeys::new(self.url(), vec![Algorithm::EdDsa]))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn until_asked(&self, times: usize) {
        until(|| self.asked() >= times).await;
    }
}

/// Waits until `is_so`.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("this should not take so long");
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Returns the set of a new key, as it is published.
fn new_set() -> String {
    let record = Key::generate(Algorithm::EdDsa, None, START).unwrap();
    jwk::public_set(&KeySet::new(vec![Key::open(&record, None).unwrap()]).unwrap()).to_string()
}

fn fetcher(patience: Duration) -> Arc<Fetcher> {
    Arc::new(Fetcher::with_patience(crate::tls::client_config().unwrap(), patience))
}

fn follow(keys: &Arc<RemoteKeys>, clock: &Clock) -> tokio::task::JoinHandle<()> {
    tokio::spawn(RemoteKeys::follow(Arc::downgrade(keys), fetcher(PATIENCE), clock.clone()))
}

/// Returns why keys can't be had from a provider that answers so.
async fn refusal(answer: Vec<u8>) -> String {
    let provider = Provider::start(answer).await;
    let keys = provider.keys();
    let error = keys.fetch(&fetcher(PATIENCE)).await.expect_err("no keys").to_string();
    assert!(keys.keys().guard().is_empty());
    assert_eq!(provider.asked(), 1);
    error
}

#[tokio::test]
async fn keys_are_fetched_at_start_and_replaced_when_the_provider_rotates_them() {
    let provider = Provider::start(ok(&new_set())).await;
    let (keys, clock) = (provider.keys(), Clock::manual(START));
    let _task = follow(&keys, &clock);
    until(|| !keys.keys().guard().is_empty()).await;
    let first = keys.keys().guard().id();
    provider.answer.replace(ok(&new_set()));
    clock.advance(Duration::from_secs(31));
    keys.want();
    until(|| keys.keys().guard().id() != first).await;
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn the_same_set_again_keeps_its_id_and_with_it_what_is_cached() {
    let provider = Provider::start(ok(&new_set())).await;
    let keys = provider.keys();
    keys.fetch(&fetcher(PATIENCE)).await.unwrap();
    let first = keys.keys().guard().id();
    keys.fetch(&fetcher(PATIENCE)).await.unwrap();
    assert_eq!((provider.asked(), keys.keys().guard().id()), (2, first));
}

#[tokio::test]
async fn a_flood_of_unknown_keys_asks_once_in_thirty_seconds() {
    let provider = Provider::start(ok(&new_set())).await;
    let (keys, clock) = (provider.keys(), Clock::manual(START));
    let _task = follow(&keys, &clock);
    until(|| !keys.keys().guard().is_empty()).await;
    for round in 1..4 {
        until(|| !keys.progress().schedule.wait(true, clock.now()).is_zero()).await;
        for _ in 0..10_000 {
            keys.want();
        }
        // The task has been woken and has decided; had it asked, the count would tell at the end of the round.
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(30));
        keys.wake.notify_one();
        provider.until_asked(round + 1).await;
    }
    until(|| !keys.wanted.load(Ordering::SeqCst)).await;
    assert_eq!(provider.asked(), 4);
}

#[tokio::test]
async fn while_the_provider_is_down_the_last_keys_stay() {
    let provider = Provider::start(ok(&new_set())).await;
    let keys = provider.keys();
    keys.fetch(&fetcher(PATIENCE)).await.unwrap();
    let first = keys.keys().guard().id();
    let broken: [&[u8]; 4] =
        [b"", b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", &ok("{\"keys\":[]}"), &ok("<html>")];
    for answer in broken {
        provider.answer.replace(answer.to_vec());
        assert!(keys.fetch(&fetcher(PATIENCE)).await.is_err());
        assert_eq!(keys.keys().guard().id(), first);
    }
}

#[tokio::test]
async fn a_provider_that_is_down_at_start_is_asked_again_until_it_answers() {
    let provider = Provider::start(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    let (keys, clock) = (provider.keys(), Clock::manual(START));
    let _task = follow(&keys, &clock);
    until(|| keys.progress().schedule.is_failing()).await;
    assert!(keys.keys().guard().is_empty());
    provider.answer.replace(ok(&new_set()));
    clock.advance(Duration::from_secs(2));
    keys.wake.notify_one();
    until(|| !keys.keys().guard().is_empty()).await;
    until(|| !keys.progress().schedule.is_failing()).await;
}

#[tokio::test]
async fn the_provider_says_how_long_its_keys_keep() {
    let body = new_set();
    for (field, seconds) in [
        ("cache-control: public, max-age=120", Some(120)),
        ("Cache-Control: MAX-AGE=\"7\"", Some(7)),
        ("cache-control: no-store", None),
        ("cache-control: max-age=-1", None),
        ("cache-control: max-age=99999999999999999999", None),
        ("age: 3", None),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{field}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let provider = Provider::start(answer.into_bytes()).await;
        let lifetime = provider.keys().fetch(&fetcher(PATIENCE)).await.unwrap();
        assert_eq!(lifetime, seconds.map(Duration::from_secs), "{field}");
    }
}

#[tokio::test]
async fn a_huge_answer_is_cut_off() {
    let declared = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 2 << 20).into_bytes();
    let whole = [declared, vec![b' '; 2 << 20]].concat();
    assert!(refusal(whole).await.contains("more than"));
    let mut chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend(b"10000\r\n");
        chunked.extend(vec![b' '; 0x10000]);
        chunked.extend(b"\r\n");
    }
    assert!(refusal(chunked).await.contains("more than"));
    let head = [b"HTTP/1.1 200 OK\r\nx: ".to_vec(), vec![b'a'; 1 << 20], b"\r\n\r\n".to_vec()].concat();
    assert!(refusal(head).await.contains("no HTTP answer"));
}

#[tokio::test]
async fn a_provider_that_drips_or_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = KeySetUrl::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
                // A byte now and then keeps every idle timeout from firing; the time for all of it does.
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
    });
    let keys = RemoteKeys::new(url, vec![Algorithm::EdDsa]);
    let started = Instant::now();
    let error = keys.fetch(&fetcher(Duration::from_millis(200))).await.expect_err("never complete");
    assert!(error.to_string().contains("no complete answer within 200ms"), "{error}");
    assert!(started.elapsed() < PATIENCE);
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let elsewhere = Provider::start(ok(&new_set())).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", elsewhere.url());
        assert!(refusal(answer.into_bytes()).await.contains(&status.to_string()));
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[tokio::test]
async fn what_is_no_key_set_is_refused() {
    let weak = r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"},{"kty":"RSA","n":"AQAB","e":"AQAB"},7]}"#;
    for body in ["", "null", "<html></html>", "[]", r#"{"keys":"x"}"#, r#"{"keys":[]}"#, weak, "\u{0}"] {
        assert!(refusal(ok(body)).await.contains("JWK set"), "{body}");
    }
    for answer in ["", "nonsense\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{\"keys\":"] {
        let error = refusal(answer.as_bytes().to_vec()).await;
        assert!(error.contains("no HTTP answer") || error.contains("JWK set"), "{answer}: {error}");
    }
}

#[tokio::test]
async fn a_certificate_that_this_machine_does_not_trust_gives_no_keys() {
    let made = crate::tls::SelfSigned::new(&["localhost".to_owned()], Clock::system().now()).unwrap();
    let table = Live::new(crate::tls::CertificateTable::new(vec![made.certificate]).unwrap());
    let resolver = Arc::new(crate::tls::Resolver::new(table));
    let config = crate::tls::server_config(resolver, crate::tls::MinVersion::Tls12).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.write_all(&ok(&new_set())).await;
        }
    });
    let keys = RemoteKeys::new(KeySetUrl::parse(&url).unwrap(), vec![Algorithm::EdDsa]);
    let error = keys.fetch(&fetcher(PATIENCE)).await.expect_err("not trusted").to_string();
    assert!(error.contains("no connection"), "{error}");
}

#[tokio::test]
async fn the_task_ends_with_the_last_holder_of_the_keys() {
    let provider = Provider::start(ok(&new_set())).await;
    let keys = provider.keys();
    let task = follow(&keys, &Clock::manual(START));
    provider.until_asked(1).await;
    until(|| Arc::strong_count(&keys) == 1).await;
    drop(keys);
    timeout(PATIENCE, task).await.expect("it ends").unwrap();
}

#[test]
fn renewed_keys_begin_with_what_was_there_under_another_id() {
    let url = KeySetUrl::parse("https://idp.example.com/jwks").unwrap();
    let keys = RemoteKeys::new(url.clone(), vec![Algorithm::EdDsa]);
    keys.take(&Fetched { body: new_set().into(), max_age: None }).unwrap();
    let renewed = keys.renewed();
    assert!(!renewed.keys().guard().is_empty());
    assert_ne!(renewed.keys().guard().id(), keys.keys().guard().id());
    assert!(renewed.is_of(&url, &[Algorithm::EdDsa]) && !renewed.is_of(&url, &[Algorithm::Rs256]));
}
