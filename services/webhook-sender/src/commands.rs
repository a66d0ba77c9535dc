//! Commands that this sender takes part in answering: each kind from a subject of its own.

use std::sync::Arc;
use std::time::Duration;

use auditrelay_streams::{Command, Commands};
use tokio::sync::Semaphore;

use crate::sender::Sender;

/// Commands that are carried out at the same time; whoever comes then is told to come back.
const AT_ONCE: usize = 32;
/// How soon to listen again after the subscription ended.
const AGAIN_AFTER: Duration = Duration::from_millis(500);

/// A kind of command that a sender answers.
pub(crate) trait Answered: Command + Sync + 'static {
    /// Its name among the tasks.
    const NAME: &'static str;

    /// What is said when there is no room.
    fn busy(sender: &Sender) -> Self::Reply;

    /// Carries it out, within a time that the asker waits.
    fn answer(&self, sender: &Sender) -> impl Future<Output = Self::Reply> + Send;
}

/// Answers commands of one kind until the soft stop; those at hand are finished.
pub(crate) async fn serve<C: Answered>(sender: Arc<Sender>) {
    let soft = sender.context.drain.soft.clone();
    let room = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let listened = tokio::select! {
            () = soft.cancelled() => return,
            listened = sender.streams.listen::<C>() => listened,
        };
        match listened {
            Ok(commands) => serve_from(&sender, commands, &room).await,
            Err(error) => tracing::warn!(%error, kind = C::NAME, "commands can not be listened to"),
        }
        tokio::select! {
            () = soft.cancelled() => return,
            () = tokio::time::sleep(AGAIN_AFTER) => {}
        }
    }
}

async fn serve_from<C: Answered>(
    sender: &Arc<Sender>,
    mut commands: Commands<C>,
    room: &Arc<Semaphore>,
) {
    let drain = &sender.context.drain;
    loop {
        // Both arms only wait, so that a dropped one loses nothing.
        let incoming = tokio::select! {
            () = drain.soft.cancelled() => return,
            incoming = commands.next() => incoming,
        };
        let Some(incoming) = incoming else { return };
        let Ok(place) = Arc::clone(room).try_acquire_owned() else {
            incoming.reply(&C::busy(sender)).await;
            continue;
        };
        let sender = Arc::clone(sender);
        drain.spawn(C::NAME, async move {
            let reply = incoming.command.answer(&sender).await;
            incoming.reply(&reply).await;
            drop(place);
        });
    }
}
