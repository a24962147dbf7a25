//! Upgraded connections (WebSocket, whose client may be a stream of HTTP/2): bytes both ways until one side ends, both fall silent, or the session ends.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
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
    let (mut up, mut down) = (OneWay::default(), OneWay::default());
    let carried = poll_fn(|context| {
        let sent = up.poll_carry(&mut client, &mut server, context);
        // An app that takes no more may have said something before: that is still to be carried.
        let up = if up.is_refused { Poll::Ready(()) } else { sent? };
        let down = down.poll_carry(&mut server, &mut client, context)?;
        if up.is_ready() && down.is_ready() { Poll::Ready(io::Result::Ok(())) } else { Poll::Pending }
    });
    tokio::select! {
        // Whatever the reason, both sides are closed when this returns.
        _ = carried => {}
        () = silence(&activity, ends.idle) => {}
        () = cut => {}
    }
    (client.bytes, server.bytes)
}

/// How much is read at once; on the stack: a tunnel that is idle has no buffer.
const READ: usize = 16 * 1024;

/// One direction of a tunnel.
#[derive(Default)]
struct OneWay {
    /// What was read and the other side would not take yet.
    held: BytesMut,
    is_at_end: bool,
    /// Whether the other side takes no more.
    is_refused: bool,
    is_done: bool,
}

impl OneWay {
    /// Carries what comes; returns ready once one side has ended and the other knows.
    fn poll_carry(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_done {
            while !self.held.is_empty() {
                let written = Pin::new(&mut *to).poll_write(context, &self.held);
                let written = ready!(self.judge(written.map(check_written)))?;
                self.held.advance(written);
            }
            self.held = BytesMut::new();
            if self.is_at_end {
                let shut = Pin::new(&mut *to).poll_shutdown(context);
                ready!(self.judge(shut))?;
                self.is_done = true;
                break;
            }
            let mut scratch = [MaybeUninit::uninit(); READ];
            let mut buffer = ReadBuf::uninit(&mut scratch);
            if Pin::new(&mut *from).poll_read(context, &mut buffer)?.is_pending() {
                // Asked whether or not there is anything to flush: it tells of an end that neither reading nor writing waits for.
                let flushed = Pin::new(&mut *to).poll_flush(context);
                ready!(self.judge(flushed))?;
                return Poll::Pending;
            }
            self.is_at_end = buffer.filled().is_empty();
            if self.is_at_end {
                continue;
            }
            let written = Pin::new(&mut *to).poll_write(context, buffer.filled());
            let written = match self.judge(written.map(check_written))? {
                Poll::Ready(written) => written,
                Poll::Pending => 0,
            };
            self.held.extend_from_slice(&buffer.filled()[written..]);
        }
        Poll::Ready(Ok(()))
    }

    /// Takes note of whether the other side takes no more.
    fn judge<T>(&mut self, taken: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.is_refused |= matches!(taken, Poll::Ready(Err(_)));
        self.is_done |= self.is_refused;
        taken
    }
}

fn check_written(written: io::Result<usize>) -> io::Result<usize> {
    written.and_then(|written| if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
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
