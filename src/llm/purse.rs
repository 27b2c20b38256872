//! What may be spent: asked before every request on the wire, told after it. Who keeps the purse
//! decides what the caps are; this layer only reports.

use super::Request;
use super::provider::Boxed;
use crate::base::Result;
use crate::base::config::Price;

/// Who says whether a request may be paid for. Shared by all backends of a run.
pub trait Purse: Send + Sync {
    /// Reserves the worst case of one request on the wire; waits while others may still give back enough.
    /// The error is that of a cap that is reached.
    fn reserve<'a>(
        &'a self,
        request: &'a Request,
        price: Option<Price>,
    ) -> Boxed<'a, Result<Box<dyn Reservation>>>;
}

/// A reserved sum. One that is dropped counts as spent in full: nobody knows what it cost.
pub trait Reservation: Send {
    /// Ends it with what the request really cost.
    fn settle(self: Box<Self>, bill: Bill);
}

/// What the provider charges for one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bill {
    /// Nothing: it was not sent, or declined.
    Nothing,
    /// It may have been worked on, and nobody says what it cost: the worst case holds.
    Unknown,
    /// So much; no dollars where there is no price.
    Served {
        /// Dollars.
        usd: Option<f64>,
    },
}

/// No caps.
pub struct Unlimited;

impl Purse for Unlimited {
    fn reserve<'a>(&'a self, _: &'a Request, _: Option<Price>) -> Boxed<'a, Result<Box<dyn Reservation>>> {
        Box::pin(async { Ok(Box::new(Unlimited) as Box<dyn Reservation>) })
    }
}

impl Reservation for Unlimited {
    fn settle(self: Box<Self>, _: Bill) {}
}
