//! One serving thread: a single-threaded runtime with its own handler, to which the acceptor sends connections.
//! Nothing on it may block, and nothing it owns is shared with another worker but what the handler shares by itself.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};

use super::connection::{self, Accepted, Shared, http2_builder};
use super::drive::Drain;
use super::lease::Counters;
use super::{Handler, Settings};

/// What a worker is told.
pub enum Message {
    Serve(Accepted),
    /// End each connection after its requests in flight.
    Drain,
    /// Drop what is left and end.
    Stop,
}

/// A running thread.
pub struct Worker {
    pub inbox: UnboundedSender<Message>,
    pub load: Arc<AtomicUsize>,
    pub thread: JoinHandle<()>,
}

impl Worker {
    /// Returns worker `number`, whose handler `make_handler` makes on its own thread.
    pub fn start<H: Handler>(
        number: usize,
        settings: &Arc<Settings>,
        counters: &Arc<Counters>,
        make_handler: impl FnOnce() -> H + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (inbox, messages) = unbounded_channel();
        let (settings, counters) = (Arc::clone(settings), Arc::clone(counters));
        let name = format!("{}-{number}", settings.name);
        let thread = std::thread::Builder::new().name(name).spawn(move || {
            run(&runtime, messages, || {
                let http2 = http2_builder(&settings);
                Shared { handler: Rc::new(make_handler()), settings, counters, drain: Rc::default(), http2 }
            });
        })?;
        Ok(Self { inbox, load: Arc::default(), thread })
    }
}

fn run<H: Handler>(runtime: &Runtime, mut messages: UnboundedReceiver<Message>, share: impl FnOnce() -> Shared<H>) {
    let tasks = LocalSet::new();
    tasks.block_on(runtime, async move {
        let shared = Rc::new(share());
        let drain: Rc<Drain> = Rc::clone(&shared.drain);
        while let Some(message) = messages.recv().await {
            match message {
                Message::Serve(accepted) => {
                    spawn_local(connection::serve(Rc::clone(&shared), accepted));
                }
                Message::Drain => drain.begin(),
                Message::Stop => break,
            }
        }
    });
    // Dropping the set drops every connection, and whatever the handler had spawned beside them.
    let _inside = runtime.enter();
    drop(tasks);
}
