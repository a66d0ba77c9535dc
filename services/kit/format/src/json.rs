//! One flat JSON object: compact, keys in alphabetical order.

use std::fmt::Write as _;

use auditrelay_model::Scope;
use auditrelay_model::event::{AuditEvent, Detail};
use auditrelay_model::text::is_unsafe;

use crate::text::{Header, boolean, push, push_escaped, push_seconds};
use crate::{Subject, Vendor, product, severity};

/// Keys that only some kinds have stand in the methods of their kind's fields; every `key` call
/// below is in the order of the alphabet.
pub(crate) fn write(out: &mut String, subject: &Subject<'_>, vendor: &Vendor) {
    let &Subject { event, scope, .. } = subject;
    out.push('{');
    write_act_to_version(out, subject, vendor);
    write_granted_to_principal(out, event, scope);
    write_query_to_user_agent(out, event);
    out.push('}');
}

fn write_act_to_version(out: &mut String, subject: &Subject<'_>, vendor: &Vendor) {
    let &Subject { event, scope, place } = subject;
    match &event.detail {
        Detail::Authentication(_) => {}
        Detail::Authorization(detail) => field(out, r#""action":"#, &detail.action, ","),
        Detail::Access(detail) => field(out, r#""act":"#, &detail.method, ","),
    }
    if !event.actor_id.is_empty() {
        field(out, r#""actor_id":"#, &event.actor_id, ",");
    }
    let header = Header::of(&event.detail);
    out.push_str(r#""cef_version":0,"event_class_id":""#);
    header.class.write(out, escape);
    out.push('"');
    if let Some(place) = place {
        out.push_str(r#","event_epoch":"#);
        push(out, &place.epoch);
    }
    out.push_str(r#","event_id":""#);
    push(out, &event.id);
    out.push('"');
    if let Some(place) = place {
        out.push_str(r#","event_number":"#);
        push(out, &place.number);
    }
    out.push_str(r#","event_product":""#);
    out.push_str(product(scope));
    out.push_str(r#"","event_ts":""#);
    push_seconds(out, event.ts);
    out.push('"');
    field(out, r#","event_vendor":"#, vendor.name(), "");
    out.push_str(r#","event_version":"1.0""#);
}

fn write_granted_to_principal(out: &mut String, event: &AuditEvent, scope: Scope) {
    let knows_initiator = match &event.detail {
        Detail::Authentication(_) => false,
        Detail::Authorization(detail) => {
            out.push_str(r#","granted":"#);
            out.push_str(boolean(detail.granted));
            true
        }
        Detail::Access(_) => true,
    };
    if knows_initiator && event.platform_initiated {
        out.push_str(r#","kong_initiated":"true""#);
    }
    out.push_str(r#","name":""#);
    Header::of(&event.detail).name.write(out, escape);
    out.push_str(r#"","org_id":""#);
    push(out, &scope.org());
    if let Some(portal) = scope.portal() {
        out.push_str(r#"","portal_id":""#);
        push(out, &portal);
    }
    out.push('"');
    field(out, r#","principal_id":"#, &event.principal_id, "");
    if !event.principal_name.is_empty() {
        field(out, r#","principal_name":"#, &event.principal_name, "");
    }
}

fn write_query_to_user_agent(out: &mut String, event: &AuditEvent) {
    match &event.detail {
        Detail::Authentication(_) => field(out, r#","request":"#, &event.uri, ""),
        Detail::Authorization(_) => {}
        Detail::Access(detail) => {
            field(out, r#","query":"#, &detail.query, "");
            field(out, r#","request":"#, &event.uri, "");
        }
    }
    out.push_str(r#","rt":"#);
    push(out, &event.ts.millis());
    out.push_str(r#","severity":"#);
    push(out, &severity(&event.detail));
    out.push_str(r#","src":""#);
    if let Some(ip) = &event.client_ip {
        push(out, ip);
    }
    out.push('"');
    match &event.detail {
        Detail::Authentication(detail) => {
            out.push_str(r#","success":"#);
            out.push_str(boolean(detail.success));
        }
        Detail::Authorization(_) => {}
        Detail::Access(detail) => {
            out.push_str(r#","status":"#);
            push(out, &detail.status_code);
        }
    }
    field(out, r#","trace_id":"#, &event.trace_id, "");
    field(out, r#","user_agent":"#, &event.user_agent, "");
}

fn field(out: &mut String, key: &str, value: &str, after: &str) {
    out.push_str(key);
    out.push('"');
    escape(out, value);
    out.push('"');
    out.push_str(after);
}

/// Everything unsafe in a line is escaped, though JSON asks for less.
fn escape(out: &mut String, text: &str) {
    push_escaped(
        out,
        text,
        |byte| matches!(byte, b'"' | b'\\'),
        |out, c| match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unsafe(c) => {
                // All of them lie in the first plane; writing into a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        },
    );
}
