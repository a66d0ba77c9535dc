//! What may go wrong, and how it is mended.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::fleet::{Fleet, Process};
use crate::link::Wire;
use crate::random::Random;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Kill,
    /// As an operator ends it.
    Terminate,
    /// It sleeps and wakes up late.
    Pause,
    Wire(Wire),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    Service(usize),
    Broker(usize),
}

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) whom: Whom,
    pub(crate) what: What,
}

impl Fault {
    pub(crate) fn any(random: &mut Random, fleet: &Fleet) -> Self {
        if random.one_in(4) {
            let whom = Whom::Broker(random.below(fleet.brokers.all.len()));
            let what = [What::Kill, What::Terminate, What::Pause][random.below(3)];
            return Self { whom, what };
        }
        let whom = Whom::Service(random.below(fleet.services.len()));
        let what = match random.below(7) {
            0..=2 => What::Kill,
            3 => What::Terminate,
            4 => What::Pause,
            5 => What::Wire([Wire::Silent, Wire::Cut][random.below(2)]),
            _ => What::Wire(Wire::Slow(Duration::from_millis(40))),
        };
        Self { whom, what }
    }

    pub(crate) fn name(self, fleet: &Fleet) -> String {
        let name = match self.whom {
            Whom::Service(index) => &fleet.services[index].name,
            Whom::Broker(index) => &fleet.brokers.all[index].name,
        };
        format!("{:?} {name}", self.what)
    }

    pub(crate) async fn happen(self, fleet: &mut Fleet) {
        let process = self.process(fleet);
        match self.what {
            What::Kill => process.end(Signal::SIGKILL).await,
            What::Terminate => process.end(Signal::SIGTERM).await,
            What::Pause => process.signal(Signal::SIGSTOP),
            What::Wire(wire) => process.links.iter().for_each(|link| link.set(wire)),
        }
    }

    pub(crate) fn mend(self, fleet: &mut Fleet) {
        let process = self.process(fleet);
        match self.what {
            What::Kill | What::Terminate => process.revive(),
            What::Pause => process.signal(Signal::SIGCONT),
            What::Wire(_) => process.links.iter().for_each(|link| link.set(Wire::Good)),
        }
    }

    fn process(self, fleet: &mut Fleet) -> &mut Process {
        match self.whom {
            Whom::Service(index) => &mut fleet.services[index],
            Whom::Broker(index) => &mut fleet.brokers.all[index],
        }
    }
}
