//! What may be spent: asked before every request on the wire, told after it. Who keeps the purse
//! decides what the caps are; this layer only reports.

use super::provider::Boxed;
use super::{Request, Usage};
use crate::base::Result;
use crate::base::config::Price;

/// Who says whether a request may be paid for. Shared by all backends of a run.
pub trait Purse: Send + Sync {
    /// Reserves the worst case of one request on the wire; waits while others may still give back enough.
    /// The error is that of a cap that is reached.
    fn reserve<'a>(&'a self, payment: Payment<'a>) -> Boxed<'a, Result<Box<dyn Reservation>>>;
}

/// What is to be paid for.
#[derive(Clone, Copy)]
pub struct Payment<'a> {
    /// The backend's name.
    pub backend: &'a str,
    /// What it is asked.
    pub request: &'a Request,
    /// What its tokens cost, where the configuration says so.
    pub price: Option<Price>,
}

/// A reserved sum. One that is dropped counts as spent in full: nobody knows what it cost.
pub trait Reservation: Send {
    /// A reply came: what it cost. Whoever asked writes it down with the reply.
    fn replied(self: Box<Self>, bill: Bill) -> Charge;

    /// None came. What it cost all the same is written down at once.
    fn failed(self: Box<Self>, bill: Bill);
}

/// What a request cost.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Charge {
    /// Its tokens.
    pub usage: Usage,
    /// Dollars; none where there is no price.
    pub usd: Option<f64>,
    /// Whether nobody knows: the dollars are then those of the worst case.
    pub unknown: bool,
}

impl Charge {
    /// That of a bill, when the worst case comes to so much; none when there is nothing to pay.
    pub fn of(bill: Bill, worst: Option<f64>) -> Option<Charge> {
        match bill {
            Bill::Nothing => None,
            Bill::Unknown => Some(Charge { usd: worst, unknown: true, ..Charge::default() }),
            Bill::Served { usage, usd } => Some(Charge { usage, usd, unknown: false }),
        }
    }
}

/// What the provider charges for one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bill {
    /// Nothing: it was not sent, or declined.
    Nothing,
    /// It may have been worked on, and nobody says what it cost: the worst case holds.
    Unknown,
    /// A reply was served.
    Served {
        /// Its tokens.
        usage: Usage,
        /// Dollars; none where there is no price.
        usd: Option<f64>,
    },
}

/// No caps.
pub struct Unlimited;

impl Purse for Unlimited {
    fn reserve<'a>(&'a self, _: Payment<'a>) -> Boxed<'a, Result<Box<dyn Reservation>>> {
        Box::pin(async { Ok(Box::new(Unlimited) as Box<dyn Reservation>) })
    }
}

impl Reservation for Unlimited {
    fn replied(self: Box<Self>, bill: Bill) -> Charge {
        Charge::of(bill, None).unwrap_or_default()
    }

    fn failed(self: Box<Self>, _: Bill) {}
}
