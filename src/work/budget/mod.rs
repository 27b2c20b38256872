//! What may be spent: caps in dollars and calls, on this command and on all that the project ever spends.
//! The worst case of a request is reserved before it is sent, so that no cap is exceeded, however many are
//! under way; what it cost in the end is written down at once.

mod caps;
mod held;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::Result;
use crate::base::config::Price;
use crate::llm::provider::Boxed;
use crate::llm::purse::{Charge, Payment, Purse, Reservation};
use crate::store::ledger::{Entry, Ledger, Sums, nobody_waits};

pub use caps::{Cap, Caps, dollars};
use caps::{Cost, Of};
use held::{Density, Held};

/// The purse of a command. Cloning gives another handle on the same one.
#[derive(Clone)]
pub struct Budget(Arc<Inner>);

struct Inner {
    command: Caps,
    project: Caps,
    /// What the command had spent before: it counts for its own caps, and stands in the ledger as others' does.
    earlier: Sums,
    ledger: Arc<dyn Ledger>,
    state: Mutex<State>,
    /// Told whenever a reservation ends.
    freed: Notify,
}

#[derive(Default)]
struct State {
    /// Requests under way, at their worst.
    reserved: Cost,
    /// What this command has spent.
    command: Sums,
    /// What other commands have spent, as far as the ledger was read, and how far that is.
    others: Sums,
    read_to: i64,
    /// Of each backend.
    density: BTreeMap<String, Density>,
}

impl Budget {
    /// The purse of one command: its own caps, and the project's.
    pub fn new(ledger: Arc<dyn Ledger>, command: Caps, project: Caps) -> Budget {
        let (earlier, state, freed) = Default::default();
        Budget(Arc::new(Inner { command, project, earlier, ledger, state, freed }))
    }

    /// The same for a command that has spent something before, as another run of the ledger.
    pub fn after(self, earlier: Sums) -> Budget {
        let Inner { command, project, ledger, .. } = &*self.0;
        let (state, freed) = Default::default();
        let (command, project, ledger) = (*command, *project, ledger.clone());
        Budget(Arc::new(Inner { command, project, earlier, ledger, state, freed }))
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

    /// What this command has spent; requests of unknown cost at their worst.
    pub fn spent(&self) -> Sums {
        self.0.lock().command
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
        self.ledger.ready()?;
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
        if !self.project.is_empty() {
            let (spent, read_to) = self.ledger.spent_by_others(state.read_to)?;
            state.others.join(&Sums::of(spent.values()));
            state.read_to = read_to;
        }
        Ok(())
    }

    fn caps(&self, state: &State) -> impl Iterator<Item = Cap> + use<> {
        let project = Sums::of([&state.others, &state.command]);
        let command = Sums::of([&self.earlier, &state.command]);
        self.command.each(Of::Command, command).chain(self.project.each(Of::Project, project))
    }

    /// Ends a reservation.
    fn settle(&self, held: &Held, charge: Option<Charge>) {
        let mut state = self.lock();
        state.reserved.take_off(&held.worst);
        if let Some(charge) = charge {
            let density = state.density.entry(held.backend().to_string()).or_default();
            density.learn(held.size, charge.usage.input_tokens);
            state.command.join(&sums(&charge));
        }
        drop(state);
        self.freed.notify_waiters();
    }

    fn write_lost(&self, entry: Entry) {
        self.ledger.write(entry, nobody_waits());
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

fn sums(charge: &Charge) -> Sums {
    Sums {
        calls: 1,
        unknown: u64::from(charge.unknown),
        input_tokens: charge.usage.input_tokens,
        output_tokens: charge.usage.output_tokens,
        usd: charge.usd.unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests;
