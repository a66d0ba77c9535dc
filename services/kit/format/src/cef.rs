//! The Common Event Format (CEF): one line, `time host CEF:0|seven|header|fields|…|key=value …`.

use auditrelay_model::Scope;
use auditrelay_model::event::{AuditEvent, Detail};
use auditrelay_model::text::is_unsafe;

use crate::text::{Header, boolean, push, push_escaped, push_seconds};
use crate::{Subject, Vendor, product, severity};

pub(crate) fn write(out: &mut String, subject: &Subject<'_>, vendor: &Vendor) {
    let &Subject { event, scope, place } = subject;
    push_seconds(out, event.ts);
    out.push_str(" konghq.com CEF:0|");
    escape_header(out, vendor.name());
    out.push('|');
    out.push_str(product(scope));
    out.push_str("|1.0|");
    let header = Header::of(&event.detail);
    header.class.write(out, escape_header);
    out.push('|');
    header.name.write(out, escape_header);
    out.push('|');
    push(out, &severity(&event.detail));
    out.push_str("|rt=");
    push(out, &event.ts.millis());
    out.push_str(" src=");
    if let Some(ip) = &event.client_ip {
        push(out, ip);
    }
    write_detail(out, event, scope);
    out.push_str(" externalId=");
    push(out, &event.id);
    if let Some(place) = place {
        out.push_str(" event_epoch=");
        push(out, &place.epoch);
        out.push_str(" event_number=");
        push(out, &place.number);
    }
}

/// The documented order differs by kind.
fn write_detail(out: &mut String, event: &AuditEvent, scope: Scope) {
    match &event.detail {
        Detail::Authentication(detail) => {
            field(out, " request=", &event.uri);
            field(out, " success=", boolean(detail.success));
            write_principal(out, event, scope);
            field(out, " trace_id=", &event.trace_id);
            field(out, " user_agent=", &event.user_agent);
        }
        Detail::Authorization(detail) => {
            field(out, " action=", &detail.action);
            field(out, " granted=", boolean(detail.granted));
            write_principal(out, event, scope);
            field(out, " trace_id=", &event.trace_id);
            field(out, " user_agent=", &event.user_agent);
            write_initiator(out, event);
        }
        Detail::Access(detail) => {
            field(out, " request=", &event.uri);
            field(out, " act=", &detail.method);
            out.push_str(" status=");
            push(out, &detail.status_code);
            write_principal(out, event, scope);
            field(out, " user_agent=", &event.user_agent);
            field(out, " trace_id=", &event.trace_id);
            field(out, " query=", &detail.query);
            write_initiator(out, event);
        }
    }
}

fn write_principal(out: &mut String, event: &AuditEvent, scope: Scope) {
    out.push_str(" org_id=");
    push(out, &scope.org());
    if let Some(portal) = scope.portal() {
        out.push_str(" portal_id=");
        push(out, &portal);
    }
    field(out, " principal_id=", &event.principal_id);
    optional(out, " principal_name=", &event.principal_name);
    optional(out, " actor_id=", &event.actor_id);
}

fn write_initiator(out: &mut String, event: &AuditEvent) {
    if event.platform_initiated {
        out.push_str(" kong_initiated=true");
    }
}

fn field(out: &mut String, key: &str, value: &str) {
    out.push_str(key);
    escape_value(out, value);
}

fn optional(out: &mut String, key: &str, value: &str) {
    if !value.is_empty() {
        field(out, key, value);
    }
}

/// Header fields end at a pipe and have no escape for line breaks.
fn escape_header(out: &mut String, text: &str) {
    push_escaped(
        out,
        text,
        |byte| matches!(byte, b'\\' | b'|'),
        |out, c| match c {
            '\\' => out.push_str("\\\\"),
            '|' => out.push_str("\\|"),
            c if is_unsafe(c) => out.push(' '),
            c => out.push(c),
        },
    );
}

/// Values end where the next `key=` begins.
fn escape_value(out: &mut String, text: &str) {
    push_escaped(
        out,
        text,
        |byte| matches!(byte, b'\\' | b'='),
        |out, c| match c {
            '\\' => out.push_str("\\\\"),
            '=' => out.push_str("\\="),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c if is_unsafe(c) => out.push(' '),
            c => out.push(c),
        },
    );
}
