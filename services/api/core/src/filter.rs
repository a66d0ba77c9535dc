//! `filter[field][operator]=value`.

use crate::fault::{Fault, Wrong};
use crate::query::Query;

/// How a value is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The same text.
    Eq,
    /// Another text.
    Neq,
    /// Has it inside.
    Contains,
    /// The same as one of several, divided by commas.
    Oeq,
    /// Has one of several inside.
    Ocontains,
}

impl Operator {
    /// What destinations can be filtered by.
    pub const SIMPLE: &'static [Self] = &[Self::Eq, Self::Contains];
    /// What portals can be filtered by.
    pub const ALL: &'static [Self] =
        &[Self::Eq, Self::Neq, Self::Contains, Self::Oeq, Self::Ocontains];

    const fn name(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Contains => "contains",
            Self::Oeq => "oeq",
            Self::Ocontains => "ocontains",
        }
    }
}

/// The conditions of one request; all must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter(Vec<Condition>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    operator: Operator,
    value: String,
}

impl Filter {
    /// Reads the conditions on `fields`; one operator a field. A condition on anything else is a
    /// fault: ignoring it would answer more than was asked for.
    pub fn parse(
        query: &Query,
        fields: &[&str],
        operators: &[Operator],
    ) -> Result<Self, Vec<Fault>> {
        let mut conditions: Vec<Condition> = Vec::new();
        let mut faults = Vec::new();
        for (key, value) in query.pairs() {
            let Some(rest) = key.strip_prefix("filter[") else { continue };
            match condition(rest, value, fields, operators) {
                Ok(new) if conditions.iter().any(|old| old.field == new.field) => {
                    faults.push(Fault::query("filter", Wrong::Invalid("use one operator")));
                }
                Ok(new) => conditions.push(new),
                Err(wrong) => faults.push(Fault::query("filter", wrong)),
            }
        }
        if faults.is_empty() { Ok(Self(conditions)) } else { Err(faults) }
    }

    /// Whether something with these fields is wanted.
    pub fn admits<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|condition| {
            let actual = field(&condition.field).unwrap_or_default();
            let wanted = condition.value.as_str();
            match condition.operator {
                Operator::Eq => actual == wanted,
                Operator::Neq => actual != wanted,
                Operator::Contains => actual.contains(wanted),
                Operator::Oeq => wanted.split(',').any(|one| actual == one),
                Operator::Ocontains => wanted.split(',').any(|one| actual.contains(one)),
            }
        })
    }
}

fn condition(
    rest: &str,
    value: &str,
    fields: &[&str],
    operators: &[Operator],
) -> Result<Condition, Wrong> {
    let (field, tail) = rest.split_once(']').ok_or(Wrong::Invalid("is not a filter"))?;
    if !fields.contains(&field) {
        return Err(Wrong::Invalid("is on a field that cannot be filtered by"));
    }
    // `filter[name]=v` is bare equality.
    let name = match tail {
        "" => "eq",
        tail => tail
            .strip_prefix('[')
            .and_then(|tail| tail.strip_suffix(']'))
            .ok_or(Wrong::Invalid("is not a filter"))?,
    };
    let operator = operators.iter().copied().find(|operator| operator.name() == name);
    let operator = operator.ok_or(Wrong::Invalid("has an operator that is not known"))?;
    Ok(Condition { field: field.to_owned(), operator, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(raw: &str, name: &str) -> Result<bool, usize> {
        Filter::parse(&Query::parse(Some(raw)), &["name"], Operator::ALL)
            .map(|filter| filter.admits(|field| (field == "name").then_some(name)))
            .map_err(|faults| faults.len())
    }

    #[test]
    fn operators_compare() {
        for raw in [
            "filter[name][eq]=siem",
            "filter%5Bname%5D%5Beq%5D=siem",
            "filter[name]=siem",
            "filter[name][neq]=other",
            "filter[name][contains]=ie",
            "filter[name][oeq]=a,siem",
            "filter[name][ocontains]=x,em",
            "page[size]=3",
        ] {
            assert_eq!(admits(raw, "siem"), Ok(true), "{raw}");
        }
        for raw in ["filter[name][eq]=sie", "filter[name][neq]=siem", "filter[name][oeq]=a,b"] {
            assert_eq!(admits(raw, "siem"), Ok(false), "{raw}");
        }
    }

    #[test]
    fn unknown_conditions_are_faults() {
        for raw in [
            "filter[name][eq]=a&filter[name][contains]=b",
            "filter[name][like]=a",
            "filter[color][eq]=a",
            "filter[name=a",
            "filter[name]x=a",
        ] {
            assert_eq!(admits(raw, "a"), Err(1), "{raw}");
        }
    }
}
