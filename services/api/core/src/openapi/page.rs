//! The description for people: one page without scripts and without anything from elsewhere.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::document::{PROBLEMS, document};
use super::operation::Operation;
use super::table::operations;

const STYLE: &str = include_str!("page.css");

/// The page and what a browser may do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocsPage {
    /// The page.
    pub html: String,
    /// Its `Content-Security-Policy`: its own style and nothing else.
    pub policy: String,
}

/// The page.
pub fn docs_page() -> DocsPage {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let (operations, document) = (operations(), document());
    let mut tags: Vec<&str> = Vec::new();
    for operation in &operations {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
    }
    let mut body = String::new();
    for tag in tags {
        chapter(&mut body, tag, &operations, &document);
    }
    problems(&mut body);
    documents(&mut body, &document);
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>auditrelay: API</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<header><h1>auditrelay API</h1>\n\
         <p>Send a token as <code>Authorization: Bearer …</code>. Routes under <code>/v2</code> and \
         <code>/v3</code> are compatible with the audit-log API of Kong Konnect. The same as \
         <a href=\"/openapi.json\">OpenAPI 3.1</a>.</p></header>\n<main>\n{body}</main>\n\
         </body>\n</html>\n"
    );
    DocsPage { html, policy }
}

fn chapter(page: &mut String, tag: &str, operations: &[Operation], document: &Value) {
    let _ = writeln!(page, "<section><h2>{}</h2>", escape(tag));
    for operation in operations.iter().filter(|operation| operation.tag == tag) {
        section(page, operation, document);
    }
    page.push_str("</section>\n");
}

fn section(page: &mut String, operation: &Operation, document: &Value) {
    let _ = writeln!(
        page,
        "<article id=\"{}\"><h3><code>{} {}</code></h3>\n<p>{}.{}</p>",
        escape(&operation.id()),
        operation.method.to_uppercase(),
        escape(&operation.path),
        escape(operation.summary),
        if operation.public { " Needs no token." } else { "" },
    );
    if !operation.note.is_empty() {
        let _ = writeln!(page, "<p>{}</p>", code(operation.note));
    }
    let parameters = operation.query.iter().filter_map(|name| {
        let parameter = document.pointer(&format!("/components/parameters/{name}"))?;
        Some((parameter.get("name")?.as_str()?, text(parameter)))
    });
    rows(page, "Query", parameters);
    for (title, schema) in [("Body", operation.body), ("Answer", operation.answer)] {
        let properties = schema.and_then(|name| {
            document.pointer(&format!("/components/schemas/{name}/properties"))?.as_object()
        });
        let properties = properties.into_iter().flatten();
        rows(page, title, properties.map(|(name, schema)| (name.as_str(), text(schema))));
    }
    let problems: Vec<String> = operation.all_problems().iter().map(ToString::to_string).collect();
    let _ = writeln!(
        page,
        "<p>Answers <strong>{}</strong>; problems {}.</p></article>",
        operation.status,
        if problems.is_empty() { "none".to_owned() } else { problems.join(", ") },
    );
}

/// What a schema says of itself, and a link to the document that it holds.
fn text(schema: &Value) -> String {
    let said = schema.get("description").and_then(Value::as_str).map(code).unwrap_or_default();
    let choices = schema.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    let held = [Some(schema), schema.get("items")].into_iter().flatten().chain(choices);
    held.filter_map(|schema| schema.get("$ref")?.as_str()).fold(said, |said, reference| {
        let name = escape(reference.rsplit('/').next().unwrap_or_default());
        format!("{said} <a href=\"#schema-{name}\">{name}</a>")
    })
}

fn rows<'a>(page: &mut String, title: &str, rows: impl Iterator<Item = (&'a str, String)>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    let _ = writeln!(page, "<table><caption>{title}</caption>");
    for (name, html) in rows {
        let name = escape(name);
        let _ =
            writeln!(page, "<tr><th scope=\"row\"><code>{name}</code></th><td>{html}</td></tr>");
    }
    page.push_str("</table>\n");
}

fn problems(page: &mut String) {
    page.push_str("<section><h2>Problems</h2>\n<p>Every problem is ");
    page.push_str("<code>application/problem+json</code>.</p>\n");
    let statuses: Vec<_> =
        PROBLEMS.iter().map(|(status, text)| (status.to_string(), code(text))).collect();
    rows(page, "Statuses", statuses.iter().map(|(status, text)| (status.as_str(), text.clone())));
    page.push_str("</section>\n");
}

fn documents(page: &mut String, document: &Value) {
    page.push_str("<section><h2>Documents</h2>\n");
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    for (name, schema) in schemas.into_iter().flatten() {
        let shown = escape(name);
        let _ = writeln!(page, "<article id=\"schema-{shown}\"><h3>{shown}</h3>");
        let said = text(schema);
        if !said.is_empty() {
            let _ = writeln!(page, "<p>{said}</p>");
        }
        let properties = schema.get("properties").and_then(Value::as_object);
        let properties = properties.into_iter().flatten();
        rows(page, "Members", properties.map(|(name, schema)| (name.as_str(), text(schema))));
        page.push_str("</article>\n");
    }
    page.push_str("</section>\n");
}

/// Text in which backticks enclose code.
fn code(text: &str) -> String {
    let mut shown = String::new();
    for (index, part) in text.split('`').enumerate() {
        let part = escape(part);
        if index % 2 == 1 {
            let _ = write!(shown, "<code>{part}</code>");
        } else {
            shown.push_str(&part);
        }
    }
    shown
}

fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '"' => shown.push_str("&quot;"),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_in_its_chapter_with_its_note() {
        let page = docs_page();
        for chapter in page.html.split("<section><h2>").skip(1) {
            let (tag, articles) = chapter.split_once("</h2>").unwrap();
            for operation in operations() {
                let here = articles.contains(&format!("<article id=\"{}\">", operation.id()));
                assert_eq!(here, operation.tag == tag, "{operation:?} in {tag}");
                assert!(
                    !here || operation.note.is_empty() || articles.contains(&code(operation.note))
                );
            }
        }
    }

    #[test]
    fn what_stands_in_backticks_is_code_and_nothing_is_markup() {
        assert_eq!(code("a `<b>` & `c`"), "a <code>&lt;b&gt;</code> &amp; <code>c</code>");
    }
}
