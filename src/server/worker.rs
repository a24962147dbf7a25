//! One serving thread: a single-threaded runtime with its own acceptor and handler; other workers may send it connections too.
//! Nothing on it may block, and nothing it owns is shared with another worker but what the handler shares by itself.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};

use super::acceptor::{Acceptor, Crew};
use super::connection::{self, Accepted, Shared};
use super::drive::Drain;
use super::{Handler, Settings};

/// What a worker is told.
pub enum Message {
    Serve(Accepted<std::net::TcpStream>),
    /// End each connection after its requests in flight.
    Drain,
    /// Drop what is left and end.
    Stop,
}

/// Where a worker gets its connections from: its place among the others, and the sockets it accepts on.
pub struct Post {
    pub number: usize,
    pub messages: UnboundedReceiver<Message>,
    pub listeners: Vec<std::net::TcpListener>,
    pub crew: Arc<Crew>,
}

/// Returns the running thread of the worker at that post, whose handler `make_handler` makes on it.
pub fn start<H: Handler>(
    post: Post,
    settings: &Arc<Settings>,
    make_handler: impl FnOnce() -> H + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let Post { number, messages, listeners, crew } = post;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let counters = Arc::clone(&crew.counters);
    let acceptor = {
        let _inside = runtime.enter();
        Acceptor::new(listeners, crew, number)?
    };
    let settings = Arc::clone(settings);
    let name = format!("{}-{number}", settings.name);
    std::thread::Builder::new().name(name).spawn(move || {
        run(&runtime, messages, acceptor, || Shared {
            handler: Rc::new(make_handler()),
            settings,
            counters,
            drain: Rc::default(),
        });
        // A name that is still being looked up would hold up the end for as long as the resolver takes.
        runtime.shutdown_background();
    })
}

fn run<H: Handler>(
    runtime: &Runtime,
    mut messages: UnboundedReceiver<Message>,
    acceptor: Acceptor,
    share: impl FnOnce() -> Shared<H>,
) {
    let tasks = LocalSet::new();
    tasks.block_on(runtime, async move {
        let shared = Rc::new(share());
        let drain: Rc<Drain> = Rc::clone(&shared.drain);
        let serve =
            |shared: &Rc<Shared<H>>, accepted| drop(spawn_local(connection::serve(Rc::clone(shared), accepted)));
        let here = Rc::clone(&shared);
        let acceptor = spawn_local(acceptor.run(move |accepted| serve(&here, accepted)));
        while let Some(message) = messages.recv().await {
            match message {
                // One that can't be registered is closed.
                Message::Serve(handed) => {
                    let _ = handed.try_map_stream(TcpStream::from_std).map(|accepted| serve(&shared, accepted));
                }
                Message::Drain => {
                    acceptor.abort();
                    drain.begin();
                }
                Message::Stop => break,
            }
        }
    });
    // Dropping the set drops every connection, and whatever the handler had spawned beside them.
    let _inside = runtime.enter();
    drop(tasks);
}
