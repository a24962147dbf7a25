//! How far a long command is, on stderr: a bar that is drawn over itself on a terminal, a plain line now and then elsewhere.

use std::io::{self, IsTerminal as _, Write as _};

/// Cells of the bar.
const WIDTH: u64 = 30;

/// One bar at a time; a new label begins a new one.
pub struct ProgressBar {
    is_terminal: bool,
    label: String,
    /// The last tenth that was printed, where there is no terminal.
    tenth: Option<u64>,
}

impl ProgressBar {
    pub fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), label: String::new(), tenth: None }
    }

    /// Shows that `done` of `total` are done. A failed print is no reason to stop.
    pub fn show(&mut self, label: &str, done: u64, total: u64) {
        if label != self.label {
            label.clone_into(&mut self.label);
            self.tenth = None;
        }
        let tenth = (done * 10).checked_div(total).unwrap_or(10);
        if self.is_terminal {
            let end = if done >= total { "\n" } else { "" };
            let _ = write!(io::stderr(), "\r{}\x1b[K{end}", bar(label, done, total));
        } else if self.tenth != Some(tenth) {
            self.tenth = Some(tenth);
            let _ = writeln!(io::stderr(), "{label}: {done} of {total}");
        }
    }
}

fn bar(label: &str, done: u64, total: u64) -> String {
    let filled = (done * WIDTH).checked_div(total).unwrap_or(WIDTH).min(WIDTH);
    let cells: String = (0..WIDTH).map(|cell| if cell < filled { '█' } else { '░' }).collect();
    let percent = (done * 100).checked_div(total).unwrap_or(100);
    format!("{label:<24} {cells} {percent:>3}%  {done} of {total}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_full_as_the_work_is_done() {
        let full = |done, total| bar("x", done, total).chars().filter(|cell| *cell == '█').count();
        assert_eq!((full(0, 10), full(5, 10), full(10, 10), full(0, 0)), (0, 15, 30, 30));
        assert!(bar("copying users", 1, 3).contains("33%  1 of 3"));
    }
}
