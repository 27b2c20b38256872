//! What may be spent: caps in dollars and calls, on this command and on all that the project ever spends.
//! The worst case of a request is reserved before it is sent, so that no cap is exceeded, however many are
//! under way; what it cost in the end is written down at once.

mod caps;
mod held;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::Result;
use crate::base::cancel::Stop;
use crate::base::config::Price;
use crate::llm::provider::Boxed;
use crate::llm::purse::{Bill, Payment, Purse, Reservation};
use crate::store::Project;
use crate::store::usage::{Sums, UsageFile, UsageReader};

pub use caps::{Cap, Caps, dollars};
use caps::{Cost, Of};
use held::{Density, Held};

/// The purse of a command. Cloning gives another handle on the same one.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    command: Caps,
    project: Caps,
    file: UsageFile,
    stop: Stop,
    state: Mutex<State>,
    /// Told whenever a reservation ends.
    freed: Notify,
}

struct State {
    /// Requests under way, at their worst.
    reserved: Cost,
    /// What this command has spent.
    command: Sums,
    /// What all commands have spent, as far as the file was read.
    project: Sums,
    reader: UsageReader,
    /// Of each backend.
    density: BTreeMap<String, Density>,
}

impl Budget {
    /// The purse of one command: its own caps, and the project's.
    pub fn new(files: Arc<Project>, stop: Stop, command: Caps, project: Caps) -> Budget {
        let state = State {
            reserved: Cost::default(),
            command: Sums::default(),
            project: Sums::default(),
            reader: UsageReader::of(files.clone()),
            density: BTreeMap::new(),
        };
        let (state, freed) = (Mutex::new(state), Notify::new());
        Budget(Arc::new(Inner { command, project, file: UsageFile::of(files), stop, state, freed }))
    }

    /// An error for a backend whose calls cannot be held to a cap in dollars.
    pub fn check_price(&self, backend: &str, price: Option<Price>) -> Result<()> {
        if self.0.caps_dollars() && price.is_none() { Err(caps::unpriced(backend)) } else { Ok(()) }
    }

    /// An error for calls whose replies have no limit, under a cap in dollars.
    pub fn check_reply(&self, backend: &str, max_tokens: Option<u32>) -> Result<()> {
        if self.0.caps_dollars() && max_tokens.is_none() {
            Err(caps::unlimited_reply(backend))
        } else {
            Ok(())
        }
    }

    /// Each cap, and what is spent of it.
    pub fn caps(&self) -> Result<Vec<Cap>> {
        let mut state = self.0.lock();
        self.0.read_others(&mut state)?;
        Ok(self.0.caps(&state).collect())
    }
}

impl Purse for Budget {
    fn reserve<'a>(&'a self, payment: Payment<'a>) -> Boxed<'a, Result<Box<dyn Reservation>>> {
        Box::pin(async move {
            self.check_price(payment.backend, payment.price)?;
            self.check_reply(payment.backend, payment.request.params.max_tokens)?;
            loop {
                // Listens before it looks: nothing that is given back in between is missed.
                let freed = self.0.freed.notified();
                tokio::pin!(freed);
                freed.as_mut().enable();
                match self.0.try_reserve(&payment)? {
                    Some(worst) => {
                        let held = Held::new(self.clone(), &payment, worst);
                        return Ok(Box::new(held) as Box<dyn Reservation>);
                    }
                    None => freed.await,
                }
            }
        })
    }
}

impl Inner {
    fn caps_dollars(&self) -> bool {
        self.command.usd.is_some() || self.project.usd.is_some()
    }

    /// Reserves the worst case, if it fits; none when requests under way may still give back enough.
    fn try_reserve(&self, payment: &Payment) -> Result<Option<Cost>> {
        self.file.ready()?;
        let mut state = self.lock();
        self.read_others(&mut state)?;
        let worst = state.worst_case(payment);
        let full = self.caps(&state).find(|cap| !cap.has_room_for(&worst, &state.reserved));
        match full {
            None => {
                state.reserved.add(&worst);
                Ok(Some(worst))
            }
            Some(_) if state.reserved.calls > 0 => Ok(None),
            Some(cap) => Err(cap.reached(payment.backend, &worst)),
        }
    }

    /// The project's caps count what other commands spend, too.
    fn read_others(&self, state: &mut State) -> Result<()> {
        let State { project, reader, .. } = state;
        if self.project.is_empty() { Ok(()) } else { reader.read(|charge| project.add(charge)) }
    }

    fn caps(&self, state: &State) -> impl Iterator<Item = Cap> + use<> {
        self.command.each(Of::Command, state.command).chain(self.project.each(Of::Project, state.project))
    }

    /// Ends a reservation; a request that may have cost something is written down. What cannot be written
    /// stops the run, so that nothing more is paid for.
    fn settle(&self, held: &Held, bill: Bill) {
        let mut state = self.lock();
        state.reserved.take_off(&held.worst);
        let written = match held.charge(bill) {
            None => Ok(()),
            Some(charge) => {
                let density = state.density.entry(charge.backend.clone()).or_default();
                density.learn(held.size, charge.input_tokens);
                state.command.add(&charge);
                self.file.append(&charge)
            }
        };
        drop(state);
        if let Err(error) = written {
            self.stop.drain_because(error);
        }
        self.freed.notify_waiters();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What a request may come to: every token that its prompt can have, and the longest reply.
    fn worst_case(&self, payment: &Payment) -> Cost {
        let Payment { backend, request, price } = payment;
        let density = self.density.get(*backend).copied().unwrap_or_default();
        let prompt = density.most_tokens(held::size(request));
        let reply = request.params.max_tokens;
        Cost { usd: price.zip(reply).map(|(price, reply)| price.of(prompt, reply.into())), calls: 1 }
    }
}

#[cfg(test)]
mod tests;
