//! What must change so that the streams are what they must be.

use std::fmt::{Debug, Write as _};
use std::time::Duration;

use auditrelay_model::stream::StreamSpec;

use crate::policy::{Policy, Wanted};

/// A stream as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Its settings.
    pub spec: StreamSpec,
    /// How many messages it holds.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How old its oldest message is; none when it is empty.
    pub oldest_age: Option<Duration>,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// Streams that do not exist.
    pub create: Vec<StreamSpec>,
    /// Streams that drifted.
    pub update: Vec<Update>,
    /// What only an operator may do.
    pub refuse: Vec<Refusal>,
}

/// A stream's settings after a repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// What the stream is to be; refused settings stay as they are.
    pub spec: StreamSpec,
    /// What changes, for example `max_age 86400s → 648000s`.
    pub changes: Vec<String>,
}

/// A setting that is not repaired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which stream.
    pub stream: String,
    /// What is wrong, why it stays so, and what can be done.
    pub reason: String,
}

impl Plan {
    /// Whether everything is as wanted.
    pub fn is_empty(&self) -> bool {
        self.create.is_empty() && self.update.is_empty() && self.refuse.is_empty()
    }
}

/// Compares what is with what must be. A limit is lowered only where that deletes nothing.
pub fn plan(observed: &[Observed], policy: &Policy) -> Plan {
    let mut plan = Plan::default();
    for wanted in policy.streams() {
        match observed.iter().find(|observed| observed.spec.name == wanted.spec.name) {
            None => plan.create.push(wanted.spec.clone()),
            Some(observed) => repair(observed, wanted, &mut plan),
        }
    }
    plan
}

fn repair(observed: &Observed, wanted: &Wanted, plan: &mut Plan) {
    let mut repair =
        Repair { spec: observed.spec.clone(), changes: Vec::new(), refused: Vec::new() };
    fixed_at_birth(&observed.spec, &wanted.spec, &mut repair);
    limits(observed, wanted, &mut repair);
    freely_changed(&wanted.spec, &mut repair);
    let stream = &wanted.spec.name;
    plan.refuse.extend(
        repair.refused.into_iter().map(|reason| Refusal { stream: stream.clone(), reason }),
    );
    if !repair.changes.is_empty() {
        plan.update.push(Update { spec: repair.spec, changes: repair.changes });
    }
}

struct Repair {
    spec: StreamSpec,
    changes: Vec<String>,
    refused: Vec<String>,
}

/// Brings one setting to what is wanted and says so.
macro_rules! set {
    ($repair:expr, $wanted:expr, $setting:ident) => {
        if $repair.spec.$setting != $wanted.$setting {
            let (is, wanted) = (&$repair.spec.$setting, &$wanted.$setting);
            $repair.changes.push(format!("{} {is:?} → {wanted:?}", stringify!($setting)));
            $repair.spec.$setting = $wanted.$setting.clone();
        }
    };
}

impl Repair {
    fn refuse(&mut self, name: &str, is: impl Debug, wanted: impl Debug, advice: &str) {
        let mut reason = String::new();
        // Writing to a string can not fail.
        let _ = write!(reason, "{name} is {is:?} instead of {wanted:?}: {advice}");
        self.refused.push(reason);
    }
}

/// What the broker does not change in place.
fn fixed_at_birth(is: &StreamSpec, wanted: &StreamSpec, repair: &mut Repair) {
    let again =
        "the broker can not change it in place; back the stream up, delete it and restore it";
    if is.storage != wanted.storage {
        repair.refuse("storage", is.storage, wanted.storage, again);
    }
    if is.acks_before_write {
        repair.refuse("acks_before_write", true, false, again);
    }
    if is.deny_delete && !wanted.deny_delete {
        repair.refuse("deny_delete", true, false, again);
    } else {
        set!(repair, wanted, deny_delete);
    }
    if is.allow_message_ttl && !wanted.allow_message_ttl {
        repair.refuse("allow_message_ttl", true, false, again);
    } else {
        set!(repair, wanted, allow_message_ttl);
    }
}

/// What deletes messages, or loses copies, when it is lowered.
fn limits(observed: &Observed, wanted: &Wanted, repair: &mut Repair) {
    let (is, want) = (&observed.spec, &wanted.spec);
    let deletes_nothing = |kept: bool| wanted.is_transient || observed.messages == 0 || kept;
    let by_hand =
        "lowering it would delete stored messages; change the setting, or lower it by hand";

    let young = observed.oldest_age.is_none_or(|age| age < want.max_age);
    if limit(want.max_age) >= limit(is.max_age) || deletes_nothing(young) {
        set!(repair, want, max_age);
    } else {
        repair.refuse("max_age", is.max_age, want.max_age, by_hand);
    }

    let small = u64::try_from(want.max_bytes).is_ok_and(|most| observed.bytes <= most);
    if raises(is.max_bytes, want.max_bytes) || deletes_nothing(small) {
        set!(repair, want, max_bytes);
    } else {
        repair.refuse("max_bytes", is.max_bytes, want.max_bytes, by_hand);
    }

    let (is_most, most) = (is.max_messages_per_subject, want.max_messages_per_subject);
    let few = u64::try_from(most).is_ok_and(|most| observed.messages <= most);
    if raises(is_most, most) || deletes_nothing(few) {
        set!(repair, want, max_messages_per_subject);
    } else {
        repair.refuse("max_messages_per_subject", is_most, most, by_hand);
    }

    if want.replicas >= is.replicas {
        set!(repair, want, replicas);
    } else {
        let advice = "copies are not given up; raise the setting, or lower the stream by hand";
        repair.refuse("replicas", is.replicas, want.replicas, advice);
    }
}

/// What changes in place and deletes nothing.
fn freely_changed(wanted: &StreamSpec, repair: &mut Repair) {
    set!(repair, wanted, subjects);
    set!(repair, wanted, discard);
    set!(repair, wanted, max_consumers);
    set!(repair, wanted, allow_atomic);
    set!(repair, wanted, compressed);
    set!(repair, wanted, allow_direct);
    set!(repair, wanted, duplicate_window);
}

/// Zero keeps for ever.
fn limit(max_age: Duration) -> Duration {
    if max_age.is_zero() { Duration::MAX } else { max_age }
}

/// Negative is no limit; the broker also writes 0 for that.
fn raises(is: i64, wanted: i64) -> bool {
    let limit = |n| if n <= 0 { i64::MAX } else { n };
    limit(wanted) >= limit(is)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
