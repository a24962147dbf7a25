//! Hears of changes by a change stream, so that nobody has to ask four times a second. What the stream carries is not believed,
//! it only wakes: the changes themselves are read, in order. A stream that broke is resumed where it was; one whose place the
//! server has forgotten begins anew, and as long as there is none those who wait are woken to ask the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mongodb::bson::Document;
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ResumeToken;
use mongodb::error::Error;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::connection::Connection;
use super::failure::code;

/// How long the server may wait for a change before it says that there is none.
const AWAIT: Duration = Duration::from_millis(400);
/// A stream that says nothing for so long can't be counted on: the promise is one second.
const SILENCE: Duration = Duration::from_secs(1);
/// How often changes are asked for while there is no stream, and a stream is tried.
const ASK: Duration = Duration::from_millis(250);
/// How often they are asked for beside a stream that seems well.
const RARELY: Duration = Duration::from_secs(5);

/// What the server answers when the place to resume at has left its log.
const HISTORY_LOST: [i32; 2] = [286, 280];

/// Tells one waiting task of changes.
#[derive(Default)]
pub(super) struct Watch {
    woken: Notify,
    is_live: AtomicBool,
}

impl Watch {
    /// Returns when a change may have been made.
    pub(super) async fn wait(&self) {
        let patience = if self.is_live() { RARELY } else { ASK };
        // Late or woken, what follows is the same: ask.
        let _ = timeout(patience, self.woken.notified()).await;
    }

    /// Returns whether changes are heard of at once; while they are not, they are asked for.
    pub(super) fn is_live(&self) -> bool {
        self.is_live.load(Ordering::Acquire)
    }

    fn set_live(&self, is_live: bool) {
        let was_live = self.is_live.swap(is_live, Ordering::AcqRel);
        if was_live && !is_live {
            tracing::info!("the change stream is lost; changes are asked for until it is back");
        }
        // After a beginning what came before it is read, after an end whoever waits must not wait long.
        self.woken.notify_one();
    }
}

/// Follows the changes for ever.
pub(super) async fn follow(on: Arc<Connection>, watch: Arc<Watch>) {
    let mut place = None;
    loop {
        match timeout(super::PATIENCE, open(&on, place.clone())).await {
            Ok(Ok(stream)) => {
                watch.set_live(true);
                let error = listen(stream, &watch, &mut place).await;
                watch.set_live(false);
                forget_if_lost(error.as_ref(), &mut place);
            }
            Ok(Err(error)) => forget_if_lost(Some(&error), &mut place),
            Err(_late) => {}
        }
        sleep(ASK).await;
    }
}

fn forget_if_lost(error: Option<&Error>, place: &mut Option<ResumeToken>) {
    let Some(error) = error else { return };
    let code = code(error).map(|(code, _)| code);
    tracing::debug!(code, "the change stream ended");
    if code.is_some_and(|code| HISTORY_LOST.contains(&code)) {
        *place = None;
    }
}

async fn open(on: &Connection, place: Option<ResumeToken>) -> Result<ChangeStream<Document>, Error> {
    let stream = on.changes.watch().max_await_time(AWAIT).resume_after(place).await?;
    Ok(stream.with_type())
}

/// Wakes for every change until the stream fails, and returns why; `None` when it fell silent.
async fn listen(mut stream: ChangeStream<Document>, watch: &Watch, place: &mut Option<ResumeToken>) -> Option<Error> {
    while stream.is_alive() {
        match timeout(SILENCE, stream.next_if_any()).await {
            Ok(Ok(Some(_))) => watch.woken.notify_one(),
            Ok(Ok(None)) => {}
            Ok(Err(error)) => return Some(error),
            Err(_silent) => return None,
        }
        *place = stream.resume_token();
    }
    *place = None;
    None
}
