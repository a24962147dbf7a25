//! The app behind the demo: answers every request with the request, so that one sees what the gateway made of it.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::cli::table::printable;

/// Starts the app on a free port of the loopback, on a thread of its own that ends with the process.
pub fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    thread::Builder::new().name("demo app".to_owned()).spawn(move || runtime.block_on(accept(listener)))?;
    Ok(address)
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(show));
        // A connection that breaks is the gateway's to notice.
        tokio::spawn(async { drop(connection.await) });
    }
}

async fn show(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let text = describe(&request);
    let mut response = Response::new(Full::new(Bytes::from(text)));
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    Ok(response)
}

/// Returns the head of the request as text.
fn describe<B>(request: &Request<B>) -> String {
    let mut text = "The app behind Vestibule received:\n\n".to_owned();
    let write = writeln!(text, "{} {} {:?}", request.method(), request.uri(), request.version());
    write.expect("a String takes every write");
    for (name, value) in request.headers() {
        let value = printable(&String::from_utf8_lossy(value.as_bytes()));
        writeln!(text, "{name}: {value}").expect("a String takes every write");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn the_answer_is_the_request() {
        let mut stream = TcpStream::connect(start().unwrap()).unwrap();
        stream
            .write_all(b"GET /private?a=1 HTTP/1.1\r\nHost: h\r\nForwarded: for=\"_a\"\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.ends_with("\n\nGET /private?a=1 HTTP/1.1\nhost: h\nforwarded: for=\"_a\"\nconnection: close\n"),
            "{answer}"
        );
    }
}
