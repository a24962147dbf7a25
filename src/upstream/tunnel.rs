//! Upgraded connections (WebSocket, whose client may be a stream of HTTP/2): bytes both ways until one side ends, both fall silent, or the session ends.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::sync::oneshot;

use super::Upgraded;
use crate::clock::Clock;
use crate::http::body::Upgrade;

/// The two ends of an upgraded connection, and what ends it.
pub struct Tunnel {
    pub client: Upgrade,
    pub server: Upgraded,
    pub idle: Duration,
    /// Resolves when the session has ended.
    pub cut: Option<oneshot::Receiver<()>>,
}

/// Carries bytes until the tunnel ends; returns how many went from the client and to the client.
pub async fn tunnel(ends: Tunnel) -> (u64, u64) {
    let Ok(client) = ends.client.await else { return (0, 0) };
    let activity = Rc::new(Cell::new(Clock::monotonic()));
    let mut client = Watched { stream: client, activity: Rc::clone(&activity), bytes: 0 };
    let mut server = Watched { stream: ends.server, activity: Rc::clone(&activity), bytes: 0 };
    let cut = async {
        match ends.cut {
            Some(cut) => drop(cut.await),
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        // Whatever the reason, both sides are closed when this returns.
        _ = copy_bidirectional(&mut client, &mut server) => {}
        () = silence(&activity, ends.idle) => {}
        () = cut => {}
    }
    (client.bytes, server.bytes)
}

/// Returns when nothing has moved for `idle`.
async fn silence(activity: &Cell<Instant>, idle: Duration) {
    loop {
        let left = idle.saturating_sub(activity.get().elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

/// A stream that notes when something was last read from it.
struct Watched<S> {
    stream: S,
    activity: Rc<Cell<Instant>>,
    bytes: u64,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
        this.bytes += (buffer.filled().len() - before) as u64;
        this.activity.set(Clock::monotonic());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}
