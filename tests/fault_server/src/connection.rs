//! One connection: requests in, answers out, whole, in part, slowly, or not at all.

use std::io::{BufReader, ErrorKind, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::answer::{Manner, Plan};
use crate::bill::Charge;
use crate::http;
use crate::state::State;

/// The longest that a client is left hanging, should it never leave.
const PATIENCE: Duration = Duration::from_secs(900);

/// Answers until either side ends it.
pub(crate) fn serve(state: &State, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let Ok(writer) = stream.try_clone() else { return };
    let mut line = Line { state, writer };
    let mut reader = BufReader::new(stream);
    while let Some(request) = http::read(&mut reader) {
        if request.method == "GET" {
            let sent = line.writer.write_all(&state.page(&request.path));
            if sent.is_err() {
                return;
            }
            continue;
        }
        let is_last = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        let (plan, charge) = state.answer(request);
        if !line.send(&plan, charge) || is_last {
            return;
        }
    }
}

/// The way to the client.
struct Line<'a> {
    state: &'a State,
    writer: TcpStream,
}

impl Line<'_> {
    /// Sends the answer; says whether the connection lives on.
    fn send(&mut self, plan: &Plan, charge: Option<Charge>) -> bool {
        self.state.answers(plan);
        let bytes = &plan.bytes;
        // Nearly all of it: past the head, and not the end.
        let most = bytes.len().saturating_sub(20);
        match plan.manner {
            Manner::Whole => return self.whole(bytes, charge),
            Manner::Drip => return self.drip(bytes, 0, Duration::from_secs(1), charge),
            Manner::Trickle(each) => return self.drip(bytes, http::head_length(bytes), each, charge),
            Manner::Part { reset } => {
                self.part(&bytes[..most], charge);
                self.close(reset);
            }
            Manner::Stall => {
                self.part(&bytes[..most], charge);
                self.hang(PATIENCE);
                self.close(false);
            }
            Manner::Close { reset } => self.close(reset),
            Manner::Hang => {
                self.hang(PATIENCE);
                self.close(false);
            }
        }
        false
    }

    fn whole(&mut self, bytes: &[u8], charge: Option<Charge>) -> bool {
        let last = bytes.len() - 1;
        if self.is_gone() || self.writer.write_all(&bytes[..last]).is_err() {
            self.charge(charge, true);
            return false;
        }
        self.last(&bytes[last..], charge)
    }

    /// The charge, then the last byte.
    fn last(&mut self, byte: &[u8], charge: Option<Charge>) -> bool {
        self.charge(charge.clone(), false);
        let sent = self.writer.write_all(byte).is_ok();
        if !sent {
            self.charge(charge, true);
        }
        sent
    }

    /// What is to come at once, then the rest byte by byte.
    fn drip(&mut self, bytes: &[u8], at_once: usize, each: Duration, charge: Option<Charge>) -> bool {
        let last = bytes.len() - 1;
        let begun = self.writer.write_all(&bytes[..at_once]).is_ok();
        for byte in &bytes[at_once..last] {
            if !begun || self.writer.write_all(&[*byte]).is_err() || !self.hang(each) {
                self.charge(charge, true);
                return false;
            }
        }
        self.last(&bytes[last..], charge)
    }

    fn part(&mut self, bytes: &[u8], charge: Option<Charge>) {
        let _ = self.writer.write_all(bytes);
        self.charge(charge, true);
    }

    fn charge(&self, charge: Option<Charge>, partial: bool) {
        if let Some(charge) = charge {
            self.state.charge(Charge { partial, ..charge });
        }
    }

    /// Waits; false when the client or the server ends first.
    fn hang(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while Instant::now() < end {
            if self.state.is_closing() || self.is_gone() {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    /// Whether the client has hung up: then there is an end to be read.
    fn is_gone(&self) -> bool {
        let _ = self.writer.set_nonblocking(true);
        let found = self.writer.peek(&mut [0]);
        let _ = self.writer.set_nonblocking(false);
        match found {
            Ok(length) => length == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }

    /// Ends the connection. A reset happens when both halves are dropped: no time to linger.
    fn close(&self, reset: bool) {
        if reset {
            let _ = SockRef::from(&self.writer).set_linger(Some(Duration::ZERO));
        } else {
            let _ = self.writer.shutdown(Shutdown::Both);
        }
    }
}
