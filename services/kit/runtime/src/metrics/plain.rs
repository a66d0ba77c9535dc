//! `OpenMetrics` text as Prometheus text 0.0.4, for what cannot read the newer one.

/// The same metrics without exemplars. There a counter's family has its samples' name, and the
/// type `info` does not exist.
pub(super) fn from_open_metrics(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut help = "";
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(described) = line.strip_prefix("# TYPE ") {
            let (name, kind) = described.split_once(' ').unwrap_or((described, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            push(&mut plain, &["# HELP ", name, suffix, " ", help]);
            push(&mut plain, &["# TYPE ", name, suffix, " ", kind]);
        } else if !line.starts_with('#') {
            push(&mut plain, &[line.rfind(" # {").and_then(|at| line.get(..at)).unwrap_or(line)]);
        }
    }
    plain
}

fn push(text: &mut String, parts: &[&str]) {
    text.extend(parts.iter().copied());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_infos_and_exemplars_are_written_the_older_way() {
        let text = "\
# HELP a_events Events.
# TYPE a_events counter
a_events_total{kind=\"x\"} 7
# HELP a_build Build.
# TYPE a_build info
a_build_info{version=\"1\"} 1
# HELP a_wait_seconds Wait.
# TYPE a_wait_seconds histogram
# UNIT a_wait_seconds seconds
a_wait_seconds_sum 0.5
a_wait_seconds_bucket{le=\"1.0\"} 2 # {trace_id=\"abc\"} 0.4
# EOF
";
        let wanted = "\
# HELP a_events_total Events.
# TYPE a_events_total counter
a_events_total{kind=\"x\"} 7
# HELP a_build_info Build.
# TYPE a_build_info gauge
a_build_info{version=\"1\"} 1
# HELP a_wait_seconds Wait.
# TYPE a_wait_seconds histogram
a_wait_seconds_sum 0.5
a_wait_seconds_bucket{le=\"1.0\"} 2
";
        assert_eq!(from_open_metrics(text), wanted);
    }
}
