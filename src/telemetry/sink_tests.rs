use super::*;

/// An output whose every write waits for leave, and that shows what was written.
struct Gate {
    leave: Receiver<()>,
    written: Sender<Vec<u8>>,
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.leave.recv().map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.written.send(bytes.to_vec()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gate() -> (Gate, Sender<()>, Receiver<Vec<u8>>) {
    let (leave, leaves) = channel();
    let (writes, written) = channel();
    (Gate { leave: leaves, written: writes }, leave, written)
}

#[test]
fn closing_writes_what_waits() {
    let (gate, leave, written) = gate();
    let (sink, lines) = Sink::start(gate, Counter::default()).unwrap();
    for line in ["one\n", "two\n"] {
        lines.hand_over(line.into());
        leave.send(()).unwrap();
    }
    sink.close(PATIENCE);
    assert_eq!(written.try_iter().collect::<Vec<_>>(), [b"one\n", b"two\n"]);
}

#[test]
fn a_panic_of_whoever_holds_it_loses_no_line() {
    let (gate, leave, written) = gate();
    leave.send(()).unwrap();
    let holder = thread::spawn(move || {
        let (_sink, lines) = Sink::start(gate, Counter::default()).unwrap();
        lines.hand_over(b"last\n".to_vec());
        panic!("on purpose");
    });
    assert!(holder.join().is_err());
    assert_eq!(written.try_recv().unwrap(), b"last\n");
}

#[test]
fn a_reader_that_does_not_read_costs_lines_and_never_a_wait() {
    let (gate, leave, _written) = gate();
    let dropped = Counter::default();
    let (sink, lines) = Sink::start(gate, dropped.clone()).unwrap();
    let chunk = [vec![b'a'; HAND_OVER_BYTES - 2], b"\nb\n".to_vec()].concat();
    let fitting = WAITING / chunk.len();
    for _ in 0..fitting * 2 {
        lines.hand_over(chunk.clone());
    }
    assert_eq!(dropped.get(), 2 * fitting as u64);
    sink.close(Duration::from_millis(30));
    drop(leave);
}

#[test]
fn lines_that_stdout_refuses_are_counted() {
    let (gate, leave, written) = gate();
    drop((leave, written));
    let dropped = Counter::default();
    let (sink, lines) = Sink::start(gate, dropped.clone()).unwrap();
    lines.hand_over(b"a\nb\nc\n".to_vec());
    sink.close(PATIENCE);
    assert_eq!(dropped.get(), 3);
}

#[test]
fn a_full_buffer_is_handed_over_at_once_and_the_rest_when_it_is_dropped() {
    let (gate, leave, written) = gate();
    let (sink, lines) = Sink::start(gate, Counter::default()).unwrap();
    let buffer = lines.buffer();
    buffer.write(|out| out.resize(HAND_OVER_BYTES, b'x'));
    leave.send(()).unwrap();
    assert_eq!(written.recv_timeout(PATIENCE).unwrap().len(), HAND_OVER_BYTES);
    buffer.write(|out| out.extend_from_slice(b"rest\n"));
    assert!(written.try_recv().is_err());
    leave.send(()).unwrap();
    drop(buffer);
    sink.close(PATIENCE);
    assert_eq!(written.recv_timeout(PATIENCE).unwrap(), b"rest\n");
}

#[test]
fn a_lone_line_does_not_wait_for_others() {
    let (gate, leave, written) = gate();
    leave.send(()).unwrap();
    let (_sink, lines) = Sink::start(gate, Counter::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let buffer = lines.buffer();
    buffer.write(|out| out.extend_from_slice(b"alone\n"));
    runtime.block_on(async {
        let line = tokio::task::spawn_blocking(move || written.recv_timeout(PATIENCE));
        tokio::select! {
            () = buffer.run_ticks() => unreachable!("ticks run until dropped"),
            line = line => assert_eq!(line.unwrap().unwrap(), b"alone\n"),
        }
    });
}

#[test]
fn a_discarding_buffer_does_not_even_write() {
    Lines::default().buffer().write(|_| panic!("asked for a line that nobody reads"));
}
