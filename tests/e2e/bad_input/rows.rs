//! Rows of the data files: what is sent, by whom, and what it is to be answered.

use std::io::Write as _;
use std::time::Duration;

use auditrelay_testkit::builders::now;
use auditrelay_testkit::stack::{Org, Reply, Service};
use http::Method;
use serde_json::Value;

/// Names that stand for something that exists only while a test runs.
pub(super) type Names = Vec<(&'static str, String)>;

/// A file, and one of its rows: what the row does not say, the file does.
pub(super) struct Row<'a> {
    file: &'a Value,
    own: &'a Value,
    names: &'a Names,
}

pub(super) fn of<'a>(file: &'a Value, names: &'a Names) -> impl Iterator<Item = Row<'a>> {
    file["rows"].as_array().unwrap().iter().map(move |own| Row { file, own, names })
}

impl Row<'_> {
    pub(super) fn name(&self) -> &str {
        self.own["row"].as_str().unwrap()
    }

    pub(super) fn status(&self) -> u16 {
        let status = self.of("status").as_u64().unwrap_or(400);
        u16::try_from(status).unwrap()
    }

    /// `field: rule` of each mistake, or none if it does not matter.
    pub(super) fn faults(&self) -> Option<Vec<&str>> {
        let faults = self.of("faults").as_array()?;
        Some(faults.iter().map(|fault| fault.as_str().unwrap()).collect())
    }

    pub(super) fn whom(&self) -> Option<&str> {
        self.of("as").as_str()
    }

    pub(super) fn is_of_ingest(&self) -> bool {
        self.of("service") == "ingest"
    }

    pub(super) async fn send(&self, org: &Org, token: &str) -> Reply {
        let service = if self.is_of_ingest() { Service::Ingest } else { Service::Api };
        let method: Method = self.of("method").as_str().unwrap().parse().unwrap();
        let mut headers = Vec::new();
        let media = self.of("media").as_str().unwrap_or("application/json");
        headers.extend((!media.is_empty()).then(|| ("content-type".to_owned(), media.to_owned())));
        headers.extend(self.gzip().map(|_| ("content-encoding".to_owned(), "gzip".to_owned())));
        for (name, value) in self.of("headers").as_object().into_iter().flatten() {
            headers.push((name.clone(), self.filled(value.as_str().unwrap())));
        }
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let query = self.of("query").as_str().map(|query| format!("?{query}")).unwrap_or_default();
        let path = self.filled(&format!("{}{query}", self.of("path").as_str().unwrap()));
        let body =
            if method == Method::GET || method == Method::HEAD { vec![] } else { self.body() };
        org.call_as((service, token), method, &path, &headers, body).await
    }

    fn of(&self, key: &str) -> &Value {
        self.own.get(key).or_else(|| self.file.get(key)).unwrap_or(&Value::Null)
    }

    fn gzip(&self) -> Option<&str> {
        self.of("gzip").as_str()
    }

    fn body(&self) -> Vec<u8> {
        if let Some(hex) = self.own["hex"].as_str() {
            let pairs = (0..hex.len()).step_by(2);
            return pairs.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        }
        let text = self.text();
        let Some(how) = self.gzip() else { return text.into_bytes() };
        let mut packed = gzipped(text.as_bytes());
        let length = packed.len();
        match how {
            "whole" => {}
            "cut" => packed.truncate(length / 2),
            "sum" => packed[length - 6] ^= 1,
            "tail" => packed.extend(b"garbage"),
            how => {
                assert_eq!(how, "members");
                packed = [gzipped(b"["), packed, gzipped(b"]")].concat();
            }
        }
        packed
    }

    fn text(&self) -> String {
        if let Some(text) = self.own["send"].as_str() {
            return self.filled(text);
        }
        let good = self.filled(self.of("good").as_str().unwrap_or("{}"));
        let mut good: Value = serde_json::from_str(&good).unwrap();
        let members = good.as_object_mut().unwrap();
        if let Some(with) = self.own["with"].as_str() {
            let with: Value = serde_json::from_str(&self.filled(with)).unwrap();
            members.extend(with.as_object().unwrap().clone());
        }
        for member in self.own["without"].as_array().into_iter().flatten() {
            members.remove(member.as_str().unwrap());
        }
        good.to_string()
    }

    /// The text with what `<…>` stands for: `<x*3>`, `<now-1h>`, `<good>`, a name.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, (inside, after))) =
            rest.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)))
        {
            filled.push_str(before);
            filled.push_str(&self.meaning(inside));
            rest = after;
        }
        filled + rest
    }

    fn meaning(&self, inside: &str) -> String {
        match inside {
            "good" => return self.filled(self.of("good").as_str().unwrap()),
            "now with blank" => return now().to_string().replace('T', " "),
            "now with digits" => return many_digits(),
            _ => {}
        }
        if let Some((_, value)) = self.names.iter().find(|(name, _)| *name == inside) {
            return value.clone();
        }
        if let Some(distance) = inside.strip_prefix("now") {
            return moved(distance);
        }
        let (what, times) = inside.rsplit_once('*').unwrap();
        let times = times.parse().unwrap();
        if what == "good" { vec![self.meaning(what); times].join(",") } else { what.repeat(times) }
    }
}

fn many_digits() -> String {
    let now = now().to_string();
    let (seconds, _) = now.split_once(['.', 'Z']).unwrap();
    format!("{seconds}.123456789012Z")
}

fn moved(distance: &str) -> String {
    if distance.is_empty() {
        return now().to_string();
    }
    let (sign, rest) = distance.split_at(1);
    let (count, unit) = rest.split_at(rest.len() - 1);
    let minutes = count.parse::<u64>().unwrap() * if unit == "h" { 60 } else { 1 };
    let distance = Duration::from_mins(minutes);
    if sign == "-" { (now() - distance).to_string() } else { (now() + distance).to_string() }
}

fn gzipped(plain: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(plain).unwrap();
    packed.finish().unwrap()
}
