//! What happens to replay jobs.
//!
//! Pure: no I/O, no clock, no randomness. Start with [`decide`] (may the job change?), [`react`]
//! (what should happen next?) and [`plan`] (what is read?). The state and its fold are vocabulary:
//! `auditrelay_model::replay`.
//!
//! Cast: the *scheduler* (this; any number of replicas, kept in order by the expected sequence of
//! the scope's subject), the *sender* (owns the job's lane and says on DELIVERY how far it has
//! come), the *api* (asks for jobs and ends them).
//!
//! | state ↓ / command → | configure | schedule | start | advance | complete | cancel | fail |
//! |---|---|---|---|---|---|---|---|
//! | unconfigured | accepted | · | · | · | · | no such job | · |
//! | accepted | accepted, the old one failed¹ | pending² | · | · | · | cancelled | failed |
//! | pending | accepted, the old one failed¹ | · | running | · | completed³ | cancelled | failed |
//! | running | **running → 409**¹ | · | running⁴ | progress, at the end completed | completed³ | cancelled | failed |
//! | completed, failed, cancelled | accepted | · | · | · | · | · | · |
//!
//! `·` is silence: nothing to record, and no scolding. A command about another job is silence too
//! (a sender that wakes up late can not touch the next job), except that cancelling one is refused:
//! somebody waits for that answer.
//!
//! 1. The same job id again, or the same window before anything was sent, is silence: a repeated
//!    request never meets a 409 from its own job.
//! 2. An empty plan completes at once.
//! 3. Only at the end of the plan: anything else is refused.
//! 4. The same holder is silence; another one is recorded, because lanes are handed over.
//!
//! Invariants: folding what [`decide`] returns never leaves the machine; a job that could not read
//! or deliver an event never completes unless the event was quarantined; a job always ends.

pub mod command;
pub mod count;
mod decide;
pub mod plan;
pub mod queue;
pub mod react;
pub mod unacknowledged;

pub use command::{Action, Command, Decided, Denial};
pub use decide::decide;
pub use plan::Reach;
pub use react::{Next, Pace, Seen, WebhookState, react};
