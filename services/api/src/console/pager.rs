//! Long lists in parts.

use std::ops::Range;

use auditrelay_api_core::page::NumberedPage;
use auditrelay_api_core::query::Query;

/// Which part of a list is shown.
pub(super) struct Pager {
    pub(super) number: u64,
    pub(super) pages: u64,
    /// What the links keep of the query; nothing, or ending with `&`.
    pub(super) kept: String,
}

impl Pager {
    /// The part that the query asks for, and where in the list it is.
    pub(super) fn cut<'a, T>(query: Option<&str>, size: u64, items: &'a [T]) -> (Self, &'a [T]) {
        let pager = Self::of(query, size, items.len());
        let page = NumberedPage { number: pager.number, size };
        (pager, page.cut(items))
    }

    /// The same as places in a list of so many items.
    pub(super) fn range(query: Option<&str>, size: u64, items: usize) -> (Self, Range<usize>) {
        let pager = Self::of(query, size, items);
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let before = usize::try_from(pager.number - 1).unwrap_or(usize::MAX);
        let start = before.saturating_mul(size).min(items);
        (pager, start..start.saturating_add(size).min(items))
    }

    fn of(query: Option<&str>, size: u64, items: usize) -> Self {
        let asked = Query::parse(query).get("page").and_then(|number| number.parse().ok());
        let count = u64::try_from(items).unwrap_or(u64::MAX);
        let pages = count.div_ceil(size).max(1);
        Self { number: asked.unwrap_or(1).clamp(1, pages), pages, kept: String::new() }
    }

    pub(super) fn before(&self) -> Option<u64> {
        (self.number > 1).then(|| self.number - 1)
    }

    pub(super) fn behind(&self) -> Option<u64> {
        (self.number < self.pages).then(|| self.number + 1)
    }
}

/// The links below a list.
#[derive(askama::Template)]
#[template(path = "pager.html")]
pub(super) struct Links<'a> {
    pub(super) pager: &'a Pager,
}

impl askama::filters::HtmlSafe for Links<'_> {}

impl Pager {
    pub(super) fn links(&self) -> Links<'_> {
        Links { pager: self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_is_not_there_is_the_nearest_one() {
        let items: Vec<u32> = (0..25).collect();
        for (query, number, first) in [
            (None, 1, 0),
            (Some("page=3"), 3, 20),
            (Some("page=9"), 3, 20),
            (Some("page=0"), 1, 0),
            (Some("page=x"), 1, 0),
        ] {
            let (pager, cut) = Pager::cut(query, 10, &items);
            assert_eq!((pager.number, cut[0]), (number, first), "{query:?}");
            let (_, range) = Pager::range(query, 10, items.len());
            assert_eq!(&items[range], cut, "{query:?}");
        }
        assert_eq!(Pager::cut::<u32>(None, 10, &[]).0.pages, 1);
    }
}
