//! Which known name was meant.

/// The known name nearest to `name`, if it is near enough to be a slip.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (name.chars().count() / 4).clamp(1, 4);
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters to insert, delete or change.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (done, letter) in from.chars().enumerate() {
        let mut next = vec![done + 1];
        let mut left = done + 1;
        for (wanted, pair) in to.iter().zip(row.windows(2)) {
            let [diagonal, above] = pair else { continue };
            left = (left + 1).min(above + 1).min(diagonal + usize::from(letter != *wanted));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_levenshtein() {
        let cases = [("", "", 0), ("abc", "", 3), ("", "abc", 3), ("kitten", "sitting", 3)];
        for (from, to, wanted) in cases {
            assert_eq!(distance(from, to), wanted, "{from} {to}");
        }
    }

    #[test]
    fn only_a_slip_is_guessed() {
        let known = ["ingest.listen", "ingest.body_max", "api.listen"];
        assert_eq!(nearest("ingest.lisen", known.into_iter()), Some("ingest.listen"));
        assert_eq!(nearest("retention.days", known.into_iter()), None);
    }
}
