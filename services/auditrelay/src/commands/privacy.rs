//! `privacy`: what of an organization's events is not stored as it came.

use std::process::ExitCode;
use std::str::FromStr;

use auditrelay_model::privacy::{PrivateField, Treatment};
use http::Method;
use serde_json::Value;

use super::org::text;
use crate::client::{Client, ServerArgs};
use crate::failure::Failure;
use crate::output::{self, Output};

const PATH: &str = "/v1/privacy";

const EXAMPLES: &str = "\
Examples:
  auditrelay privacy                              how each field is treated
  auditrelay privacy client_ip=mask principal_id=hash
  auditrelay privacy client_ip=none               stored as it comes again

Events that were stored before stay as they are.";

/// What is masked or hashed before it is stored.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PrivacyArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// Changes: a field, and mask, hash or none; fields that are not named stay as they are
    #[arg(value_name = "FIELD=TREATMENT")]
    changes: Vec<Change>,
}

/// How a field is treated from here on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Change {
    field: PrivateField,
    treatment: Option<Treatment>,
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (field, treatment) = text.split_once('=').ok_or("expected FIELD=TREATMENT")?;
        let fields = || PrivateField::ALL.iter().map(|field| field.name());
        let field = PrivateField::ALL.iter().find(|known| known.name() == field);
        let field = field.ok_or_else(|| {
            format!("the field is one of {}", fields().collect::<Vec<_>>().join(", "))
        })?;
        let treatment = match treatment {
            "none" => None,
            name => Some(Treatment::from_name(name).ok_or("the treatment is mask, hash or none")?),
        };
        Ok(Self { field: *field, treatment })
    }
}

/// Shows it, after changing what is asked for.
pub(crate) async fn run(args: PrivacyArgs, output: Output) -> Result<ExitCode, Failure> {
    let client = Client::from_args(&args.server)?;
    let mut shown = client.get(PATH).await?;
    if !args.changes.is_empty() {
        let changed = |change: &Change| {
            let treatment = change.treatment.map_or(Value::Null, |it| it.name().into());
            (change.field.name().to_owned(), treatment)
        };
        if let Some(fields) = shown.as_object_mut() {
            fields.extend(args.changes.iter().map(changed));
        }
        shown = client.expect(Method::PUT, PATH, Some(&shown)).await?;
    }
    match output {
        Output::Json => output::json(&shown),
        Output::Text => {
            for field in PrivateField::ALL {
                output::line(&format!("{:<14}  {}", field.name(), text(&shown, field.name())));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_names_a_field_and_what_becomes_of_it() {
        let change = |field, treatment| Ok(Change { field, treatment });
        assert_eq!("uri=mask".parse(), change(PrivateField::Uri, Some(Treatment::Mask)));
        assert_eq!("client_ip=none".parse(), change(PrivateField::ClientIp, None));
        for wrong in ["uri", "granted=mask", "uri=drop", "=mask"] {
            assert!(wrong.parse::<Change>().is_err(), "{wrong}");
        }
    }
}
