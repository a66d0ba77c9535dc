use super::*;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_soft_stop_lets_tasks_finish() {
    let drain = Drain::new();
    let soft = drain.soft.clone();
    drain.spawn("worker", async move {
        soft.cancelled().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    });
    assert_eq!(drain.stop(LONG).await, Stopped::Clean);
    assert!(drain.hard.is_cancelled());
}

#[tokio::test]
async fn a_task_that_does_not_end_is_cut_off_after_the_grace() {
    let drain = Drain::new();
    drain.spawn("stuck", std::future::pending());
    assert_eq!(drain.stop(SHORT).await, Stopped::Forced);
    assert!(drain.tasks.is_empty());
}

#[tokio::test]
async fn a_child_stops_alone_and_with_its_parent() {
    let drain = Drain::new();
    let (first, second) = (drain.child(), drain.child());
    for child in [&first, &second] {
        let soft = child.soft.clone();
        child.spawn("child", async move { soft.cancelled().await });
    }
    assert_eq!(first.stop(LONG).await, Stopped::Clean);
    assert!(!drain.soft.is_cancelled() && !second.soft.is_cancelled());
    assert_eq!(drain.tasks.len(), 1, "the parent counts the children's tasks");
    assert_eq!(drain.stop(LONG).await, Stopped::Clean);
    assert!(second.tasks.is_empty());
}

#[tokio::test]
async fn a_panic_drains_the_whole_process_and_is_not_clean() {
    let drain = Drain::new();
    drain.child().spawn("faulty", async { panic!("on purpose") });
    drain.soft.cancelled().await;
    assert_eq!(drain.stop(LONG).await, Stopped::Forced);
}

#[tokio::test]
async fn a_soft_stop_from_inside_ends_the_wait_for_signals() {
    let drain = Drain::new();
    drain.soft.cancel();
    assert_eq!(signals(drain, LONG, LONG).await, Stopped::Clean);
}

#[tokio::test]
async fn what_a_panic_said_is_told() {
    let text = AssertUnwindSafe(async { panic!("number {}", 7) }).catch_unwind().await;
    assert_eq!(panic_text(text.unwrap_err().as_ref()), "number 7");
}
