//! A request's query, with brackets bare or percent-encoded.

/// The decoded parameters in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Decodes the part of the URI behind `?`.
    pub fn parse(raw: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
        Self(pairs.into_owned().collect())
    }

    /// A parameter's first value; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(key, _)| key == name);
        values.next().map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Every parameter.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The query with some parameters replaced, encoded again; every other one is kept.
    pub fn with(&self, dropped: &[&str], added: &[(&str, &str)]) -> String {
        let mut encoded = url::form_urlencoded::Serializer::new(String::new());
        let kept = self.pairs().filter(|(key, _)| !dropped.contains(key));
        for (key, value) in kept.chain(added.iter().copied()) {
            encoded.append_pair(key, value);
        }
        encoded.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_may_be_bare_or_encoded() {
        for raw in ["page[size]=3", "page%5Bsize%5D=3", "page%5bsize%5d=3&page[size]=4"] {
            assert_eq!(Query::parse(Some(raw)).get("page[size]"), Some("3"));
        }
        assert_eq!(Query::parse(Some("page[size]=")).get("page[size]"), None);
        assert_eq!(Query::parse(None).get("page[size]"), None);
    }

    #[test]
    fn a_parameter_can_be_replaced() {
        let query = Query::parse(Some("filter[name][eq]=a b&page[size]=1&page[after]=x"));
        let next = query.with(&["page[after]", "page[before]"], &[("page[after]", "y")]);
        assert_eq!(next, "filter%5Bname%5D%5Beq%5D=a+b&page%5Bsize%5D=1&page%5Bafter%5D=y");
    }
}
