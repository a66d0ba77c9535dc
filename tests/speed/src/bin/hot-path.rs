//! Runs one hot path so many times, for whoever counts instructions: `hot-path render-json 100`.

use std::hint::black_box;
use std::process::ExitCode;

use auditrelay_speed as hot;
use auditrelay_speed::{EVENTS, LogFormat};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_default();
    let times = arguments.next().and_then(|times| times.parse().ok()).unwrap_or(1);
    match prepare(&path) {
        Some(mut once) => {
            (0..times).for_each(|_| once());
            ExitCode::SUCCESS
        }
        None => ExitCode::FAILURE,
    }
}

fn prepare(path: &str) -> Option<Box<dyn FnMut()>> {
    let (body, record, event) = (hot::body(EVENTS), hot::record(EVENTS), hot::event(1));
    let render = move |format| -> Box<dyn FnMut()> {
        Box::new(move || drop(black_box(hot::render(black_box(&event), format))))
    };
    Some(match path {
        "admit" => Box::new(move || drop(black_box(hot::admit(black_box(&body))))),
        "encode" => Box::new(move || drop(black_box(hot::encode(black_box(&record))))),
        "open" => {
            let encoded = hot::encode(&record);
            Box::new(move || drop(black_box(hot::open(black_box(&encoded)))))
        }
        "render-cef" => render(LogFormat::Cef),
        "render-json" => render(LogFormat::Json),
        "sign" => {
            let (key, line) = (hot::key(), hot::render(&hot::event(1), LogFormat::Json));
            Box::new(move || drop(black_box(key.sign(black_box(line.as_bytes())))))
        }
        "gzip" => {
            let letter = hot::letter(EVENTS);
            Box::new(move || drop(black_box(hot::gzip(black_box(&letter)))))
        }
        "deliver" => {
            let record = std::sync::Arc::new(record);
            Box::new(move || _ = black_box(hot::deliver(black_box(&record))))
        }
        _ => return None,
    })
}
