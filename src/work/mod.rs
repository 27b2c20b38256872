//! What a run does: calls to models, items in parallel, checkpoints kept. It takes plain closures
//! and knows no Rhai.

pub mod agreement;
pub mod backends;
pub mod budget;
pub mod call;
pub mod doctor;
pub mod dry;
pub mod in_order;
pub mod observer;
pub mod plan;
pub mod pool;
pub mod process;
pub mod replay;
pub mod retry;
pub mod reviews;
pub mod scope;
pub mod settings;
pub mod status;
pub mod testing;
pub mod threads;
mod turns;
pub mod world;

pub use backends::Backend;
pub use budget::Budget;
pub use scope::Scope;
pub use world::World;
