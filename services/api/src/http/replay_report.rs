//! `/v1/replay-jobs/{job}/report`: what a job did, signed.

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::replay::Report;
use auditrelay_model::id::JobId;
use auditrelay_runtime::problem::Problem;
use serde_json::{Value, json};

use super::replay_jobs::find;
use super::request::Id;
use super::response::{Answer, ok};
use crate::auth::Signed;

pub(super) async fn get(signed: Signed, Id(id): Id<JobId>) -> Answer {
    Ok(ok(&written(&signed, id).await?))
}

/// The report of an ended job, and the same signed.
pub(crate) async fn written(signed: &Signed, id: JobId) -> Result<Value, Problem> {
    let (scope, jobs) = find(signed, Ask::ReadConfig, id).await?;
    let job = jobs.find(id).ok_or_else(Problem::not_found)?;
    let report =
        Report::of(scope, job).ok_or_else(|| Problem::conflict("The replay job has not ended"))?;
    let key = signed.api.config.signing.as_ref().ok_or_else(Problem::internal)?.current();
    let payload = serde_json::to_string(&report).map_err(|_| Problem::internal())?;
    let jws = key.sign_jws(Report::TYPE, payload.as_bytes());
    Ok(json!({ "report": report, "jws": jws }))
}
