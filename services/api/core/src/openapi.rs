//! The API described: a document (`OpenAPI` 3.1) for machines and a page for people, both made from
//! one table of operations. A test holds the table against the routes.

mod document;
mod operation;
mod page;
mod table;

pub use document::document;
pub use operation::Operation;
pub use page::{DocsPage, docs_page};
pub use table::operations;

#[cfg(test)]
mod tests;
