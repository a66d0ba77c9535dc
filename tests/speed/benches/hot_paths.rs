//! How long the hot paths take: `cargo bench -p auditrelay-speed`, or with a word of their names.

use std::sync::Arc;

use auditrelay_speed as hot;
use auditrelay_speed::{Configured, EVENTS, LogFormat};
use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

#[divan::bench]
fn decode(bencher: Bencher<'_, '_>) {
    let body = hot::body(EVENTS);
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| hot::decode(black_box(&body)));
}

#[divan::bench]
fn decode_and_admit(bencher: Bencher<'_, '_>) {
    let body = hot::body(EVENTS);
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| hot::admit(black_box(&body)));
}

#[divan::bench]
fn encode_record(bencher: Bencher<'_, '_>) {
    let record = hot::record(EVENTS);
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| hot::encode(black_box(&record)));
}

#[divan::bench]
fn decode_record(bencher: Bencher<'_, '_>) {
    let encoded = hot::encode(&hot::record(EVENTS));
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| hot::open(black_box(&encoded)));
}

#[divan::bench(args = [LogFormat::Cef, LogFormat::Json, LogFormat::Cps])]
fn render(bencher: Bencher<'_, '_>, format: LogFormat) {
    let event = hot::event(1);
    bencher.counter(ItemsCount::new(1_usize)).bench(|| hot::render(black_box(&event), format));
}

#[divan::bench]
fn sign(bencher: Bencher<'_, '_>) {
    let (key, line) = (hot::key(), hot::render(&hot::event(1), LogFormat::Json));
    bencher.counter(ItemsCount::new(1_usize)).bench(|| key.sign(black_box(line.as_bytes())));
}

#[divan::bench]
fn gzip(bencher: Bencher<'_, '_>) {
    let letter = hot::letter(EVENTS);
    let bytes = BytesCount::new(letter.len());
    let bencher = bencher.counter(ItemsCount::new(EVENTS)).counter(bytes);
    bencher.bench(|| hot::gzip(black_box(&letter)));
}

#[divan::bench]
fn judge() -> impl Sized {
    hot::answer(black_box(204))
}

#[divan::bench]
fn deliver_record(bencher: Bencher<'_, '_>) {
    let record = Arc::new(hot::record(EVENTS));
    bencher.counter(ItemsCount::new(EVENTS)).bench(|| hot::deliver(black_box(&record)));
}

#[divan::bench(args = [10, 1_000])]
fn fold_configuration(bencher: Bencher<'_, '_>, portals: usize) {
    let mut configured = Configured::with(portals);
    bencher.bench_local(|| configured.add(black_box(portals)));
}
