//! Pages: opaque cursors for destinations, numbers for portals.

mod cursor_key;

use auditrelay_model::id::OrgId;
use serde::Serialize;
use uuid::Uuid;

pub use cursor_key::CursorKey;

use crate::fault::{Fault, Wrong};
use crate::query::Query;

/// Most items that can be asked for at once.
const SIZE_MAX: u64 = 1000;
/// Items on a numbered page when the request does not say.
const NUMBERED_SIZE: u64 = 10;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor {
    /// From the beginning, or from the n-th page for clients that only know numbers.
    Page(usize),
    /// Behind this item.
    After(Uuid),
    /// Before this item.
    Before(Uuid),
}

/// What a request says about paging with cursors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorPage {
    /// Items a page; none for everything.
    pub size: Option<usize>,
    /// Where.
    pub at: Cursor,
}

impl CursorPage {
    /// Reads `page[size]`, `page[after]`, `page[before]`.
    pub fn parse(query: &Query, key: &CursorKey, org: OrgId) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let size = number(query, "page[size]", SIZE_MAX, &mut faults);
        let page = number(query, "page[number]", u64::MAX, &mut faults);
        let mut cursor = |name: &str| {
            let text = query.get(name)?;
            let id = key.open(org, text);
            if id.is_none() {
                faults.push(Fault::query(name, Wrong::Cursor));
            }
            id
        };
        let (after, before) = (cursor("page[after]"), cursor("page[before]"));
        let at = match (after, before) {
            (Some(_), Some(_)) => {
                let both = Wrong::Invalid("use one of after and before");
                faults.push(Fault::query("page", both));
                Cursor::Page(0)
            }
            (Some(id), None) => Cursor::After(id),
            (None, Some(id)) => Cursor::Before(id),
            (None, None) => Cursor::Page(to_usize(page.unwrap_or(1).saturating_sub(1))),
        };
        if faults.is_empty() { Ok(Self { size: size.map(to_usize), at }) } else { Err(faults) }
    }

    /// Cuts the page out of a list that is ordered by id; says whether more lies before and behind.
    pub fn cut<'a, T>(&self, items: &'a [T], id: impl Fn(&T) -> Uuid) -> Cut<'a, T> {
        let size = self.size.unwrap_or(items.len());
        let (start, end) = match self.at {
            Cursor::Page(index) => {
                let start = index.saturating_mul(size).min(items.len());
                (start, start.saturating_add(size).min(items.len()))
            }
            Cursor::After(after) => {
                let start = items.partition_point(|item| id(item) <= after);
                (start, start.saturating_add(size).min(items.len()))
            }
            Cursor::Before(before) => {
                let end = items.partition_point(|item| id(item) < before);
                (end.saturating_sub(size), end)
            }
        };
        let page = items.get(start..end).unwrap_or_default();
        Cut { items: page, before: start > 0, behind: end < items.len() }
    }
}

/// One page of a list.
#[derive(Debug, PartialEq, Eq)]
pub struct Cut<'a, T> {
    /// What is on it.
    pub items: &'a [T],
    /// Something lies before it.
    pub before: bool,
    /// Something lies behind it.
    pub behind: bool,
}

/// The flat `meta` of lists with cursors.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct CursorMeta {
    /// Items a page.
    pub size: usize,
    /// URI of the next page.
    pub next: Option<String>,
    /// URI of the previous page.
    pub previous: Option<String>,
}

impl CursorMeta {
    /// Describes a page of the list at `path`; every other parameter of the query is kept.
    pub fn of<T>(
        cut: &Cut<'_, T>,
        request: (&str, &Query),
        page: CursorPage,
        seal: impl Fn(&T) -> String,
    ) -> Self {
        let (path, query) = request;
        let uri = |name: &str, item: Option<&T>| {
            let dropped = ["page[after]", "page[before]", "page[number]"];
            item.map(|item| format!("{path}?{}", query.with(&dropped, &[(name, &seal(item))])))
        };
        Self {
            size: page.size.unwrap_or(cut.items.len()),
            next: uri("page[after]", cut.items.last().filter(|_| cut.behind)),
            previous: uri("page[before]", cut.items.first().filter(|_| cut.before)),
        }
    }
}

/// A page by its number, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumberedPage {
    /// Which.
    pub number: u64,
    /// Items a page.
    pub size: u64,
}

impl NumberedPage {
    /// Reads `page[size]` and `page[number]`.
    pub fn parse(query: &Query) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let size = number(query, "page[size]", SIZE_MAX, &mut faults).unwrap_or(NUMBERED_SIZE);
        let number = number(query, "page[number]", u64::MAX, &mut faults).unwrap_or(1);
        if faults.is_empty() { Ok(Self { number, size }) } else { Err(faults) }
    }

    /// Cuts the page out of a list; past its end there is nothing.
    pub fn cut<T>(self, items: &[T]) -> &[T] {
        let start = to_usize((self.number - 1).saturating_mul(self.size)).min(items.len());
        let end = start.saturating_add(to_usize(self.size)).min(items.len());
        items.get(start..end).unwrap_or_default()
    }
}

fn number(query: &Query, name: &str, max: u64, faults: &mut Vec<Fault>) -> Option<u64> {
    let text = query.get(name)?;
    let wrong = match text.parse::<i64>() {
        Err(_) => Wrong::Type("integer"),
        Ok(number) => match u64::try_from(number) {
            Ok(number) if number > max => Wrong::Max(max),
            Ok(number) if number > 0 => return Some(number),
            Ok(_) | Err(_) => Wrong::Min(1),
        },
    };
    faults.push(Fault::query(name, wrong));
    None
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org(number: u128) -> OrgId {
        OrgId::from_uuid(Uuid::from_u128(number))
    }

    fn parse(raw: &str) -> Result<CursorPage, Vec<Fault>> {
        CursorPage::parse(&Query::parse(Some(raw)), &CursorKey::derive(b"k"), org(1))
    }

    #[test]
    fn sizes_outside_their_range_are_told() {
        for (raw, wrong) in [
            ("page[size]=0", Wrong::Min(1)),
            ("page[size]=-1", Wrong::Min(1)),
            ("page[size]=1001", Wrong::Max(1000)),
            ("page[size]=abc", Wrong::Type("integer")),
            ("page[size]=99999999999999999999", Wrong::Type("integer")),
        ] {
            assert_eq!(parse(raw), Err(vec![Fault::query("page[size]", wrong)]), "{raw}");
        }
        assert_eq!(parse("page[after]=x"), Err(vec![Fault::query("page[after]", Wrong::Cursor)]));
        assert_eq!(parse("page[size]=").map(|page| page.size), Ok(None));
        assert_eq!(parse("page[size]=1000").map(|page| page.size), Ok(Some(1000)));
    }

    #[test]
    fn cursors_lead_through_a_list_and_back() {
        let key = CursorKey::derive(b"k");
        let items: Vec<Uuid> = (1..=5).map(Uuid::from_u128).collect();
        let mut seen = Vec::new();
        let mut raw = "filter[name]=x&page[size]=2".to_owned();
        for _ in 0..3 {
            let query = Query::parse(Some(&raw));
            let page = CursorPage::parse(&query, &key, org(1)).unwrap();
            let cut = page.cut(&items, |id| *id);
            seen.extend_from_slice(cut.items);
            let meta = CursorMeta::of(&cut, ("/v3/x", &query), page, |id| key.seal(org(1), *id));
            assert_eq!(meta.size, 2);
            assert_eq!(meta.previous.is_some(), seen.len() > 2);
            let Some(next) = meta.next else { break };
            raw = next.strip_prefix("/v3/x?").unwrap().to_owned();
            assert!(raw.contains("filter%5Bname%5D=x&page%5Bsize%5D=2&page%5Bafter%5D="));
        }
        assert_eq!(seen, items);
        let before = format!("page[size]=2&page[before]={}", key.seal(org(1), items[3]));
        assert_eq!(parse(&before).unwrap().cut(&items, |id| *id).items, &items[1..3]);
    }

    #[test]
    fn without_a_size_everything_is_on_one_page() {
        let items: Vec<Uuid> = (1..=50).map(Uuid::from_u128).collect();
        let cut = parse("").unwrap().cut(&items, |id| *id);
        assert_eq!((cut.items.len(), cut.before, cut.behind), (50, false, false));
        let second = parse("page[size]=50&page[number]=2").unwrap();
        assert!(second.cut(&items, |id| *id).items.is_empty());
    }

    #[test]
    fn numbered_pages_end() {
        let items = [1, 2, 3];
        let page = |number| NumberedPage { number, size: 2 };
        assert_eq!(page(1).cut(&items), [1, 2]);
        assert_eq!(page(2).cut(&items), [3]);
        assert_eq!(page(3).cut(&items), [] as [i32; 0]);
        assert_eq!(page(u64::MAX).cut(&items), [] as [i32; 0]);
    }
}
