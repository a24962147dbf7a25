//! Whether there is a primary, as the driver's own monitors see it. Once one has been looked for in vain, nobody else waits for
//! it: they are told at once, so that nothing piles up, and whoever comes after its return finds no queue.

use mongodb::event::sdam::SdamEvent;
use tokio::sync::watch;
use tokio::time::timeout;

use super::connection::SELECTION;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Known,
    /// Lost from sight, or not seen yet: an election may be under way, and whoever asks waits for its end.
    Sought,
    /// Somebody has waited as long as one waits.
    Away,
}

pub(super) struct Primary(watch::Sender<Sight>);

impl Default for Primary {
    fn default() -> Self {
        Self(watch::Sender::new(Sight::Sought))
    }
}

impl Primary {
    /// Takes in what the driver tells of the deployment.
    pub(super) fn heard(&self, event: &SdamEvent) {
        if let SdamEvent::TopologyDescriptionChanged(change) = event {
            self.seen(change.new_description.has_writable_server());
        }
    }

    fn seen(&self, is_there: bool) {
        self.0.send_if_modified(|sight| {
            let now = match (is_there, *sight) {
                (true, _) => Sight::Known,
                (false, Sight::Known) => Sight::Sought,
                (false, before) => before,
            };
            std::mem::replace(sight, now) != now
        });
    }

    /// Notes that it was looked for in vain. One that has come back meanwhile stays known.
    pub(super) fn not_found(&self) {
        self.0.send_if_modified(|sight| {
            let is_given_up = *sight == Sight::Sought;
            if is_given_up {
                *sight = Sight::Away;
            }
            is_given_up
        });
    }

    pub(super) fn is_away(&self) -> bool {
        *self.0.borrow() == Sight::Away
    }

    /// Returns whether there is one, after waiting for as long as one waits.
    pub(super) async fn is_found(&self) -> bool {
        let mut sight = self.0.subscribe();
        // What is seen is taken out at once: held, it would keep the driver from telling more, and all who look behind it.
        let seen = sight.wait_for(|sight| *sight != Sight::Sought);
        let settled = timeout(SELECTION, async { seen.await.is_ok_and(|sight| *sight == Sight::Known) }).await;
        settled.unwrap_or_else(|_| {
            self.not_found();
            *self.0.borrow() == Sight::Known
        })
    }

    /// Returns when there is one.
    pub(super) async fn is_back(&self) {
        // Fails when the sender is gone, and that is borrowed here.
        let _ = self.0.subscribe().wait_for(|sight| *sight == Sight::Known).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_away_only_after_somebody_looked_for_it_in_vain_and_until_it_is_seen() {
        let primary = Primary::default();
        primary.seen(false);
        assert!(!primary.is_away(), "nobody has waited yet");
        primary.not_found();
        assert!(primary.is_away());
        primary.seen(false);
        assert!(primary.is_away());
        primary.seen(true);
        primary.not_found();
        assert!(!primary.is_away(), "it came back while somebody gave up");
        primary.seen(false);
        assert!(!primary.is_away(), "an election may be under way");
    }

    #[test]
    fn whoever_waits_for_it_and_whoever_sees_it_come_and_go_never_hold_each_other_up() {
        let (primary, (done, ended)) = (Arc::new(Primary::default()), mpsc::channel());
        let (driver, has_told) = (Arc::clone(&primary), done.clone());
        thread::spawn(move || {
            (0..200_000).for_each(|round| driver.seen(round % 2 == 0));
            driver.seen(true);
            has_told.send(())
        });
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                for _ in 0..200_000 {
                    primary.is_found().await;
                }
            });
            done.send(())
        });
        for _ in 0..2 {
            ended.recv_timeout(Duration::from_mins(1)).expect("neither waits for the other for ever");
        }
    }
}
