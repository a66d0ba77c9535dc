//! What the claims of an identity provider's token allow. That the provider signed them is somebody
//! else's to check, before.

use std::time::Duration;

use auditrelay_model::Timestamp;
use auditrelay_model::secret::Secret;
use auditrelay_model::token::Role;
use serde_json::{Map, Value};

/// Characters of somebody's name at the provider.
const NAME_MAX: usize = 200;

/// Whose tokens count, and what their claims mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The provider, exactly as it names itself.
    pub issuer: String,
    /// Whom tokens must be meant for.
    pub audience: String,
    /// The claim that names the organization, by its id or its name.
    pub organization_claim: String,
    /// The claim that says what somebody may do.
    pub role_claim: String,
    /// Values of it that make an administrator.
    pub admins: Vec<String>,
    /// Values of it that make a viewer.
    pub viewers: Vec<String>,
    /// Values of it that make an operator of the deployment.
    pub operators: Vec<String>,
    /// How far the provider's clock may be off.
    pub clock_skew: Duration,
}

/// What the provider knows the console as.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its name at the provider; ID tokens are meant for it.
    pub id: String,
    /// What proves that it is the one; none for a public client.
    pub secret: Option<Secret>,
    /// Where browsers reach the console, without a path.
    pub public_url: String,
}

/// Somebody for whom the provider vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who it is at the provider, for ever.
    pub subject: String,
    /// What people call it.
    pub name: String,
    /// What it may do where.
    pub grant: Grant,
}

/// What somebody may do where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Operates the deployment.
    Operator,
    /// Belongs to an organization.
    Member {
        /// The organization's id, or its name.
        organization: String,
        /// What it may do there.
        role: Role,
    },
}

/// Why a token that the provider signed does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrusted {
    /// Of another provider.
    Issuer,
    /// Meant for somebody else.
    Audience,
    /// Its time is over, or it does not say when that is.
    Expired,
    /// Its time has not come.
    NotYet,
    /// It does not say who it is about.
    Subject,
    /// Its claims allow nothing here.
    Role,
    /// It names no organization.
    Organization,
}

impl Untrusted {
    /// One word for logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Subject => "subject",
            Self::Role => "role",
            Self::Organization => "organization",
        }
    }
}

/// Judges the claims of a token whose signature is good.
pub fn judge(
    claims: &Map<String, Value>,
    rules: &Rules,
    now: Timestamp,
) -> Result<Person, Untrusted> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(rules.issuer.as_str()) {
        return Err(Untrusted::Issuer);
    }
    if !words(claims.get("aud")).any(|audience| audience == rules.audience) {
        return Err(Untrusted::Audience);
    }
    check_time(claims, rules, now)?;
    let subject = text("sub").filter(|subject| is_name(subject)).ok_or(Untrusted::Subject)?;
    let name = ["name", "preferred_username", "email"].into_iter().find_map(text);
    let name = name.filter(|name| is_name(name)).unwrap_or(subject);
    let grant = grant(claims, rules)?;
    Ok(Person { subject: subject.to_owned(), name: name.to_owned(), grant })
}

fn check_time(claims: &Map<String, Value>, rules: &Rules, now: Timestamp) -> Result<(), Untrusted> {
    let second = |name: &str| claims.get(name).map(|at| at.as_f64().map_or(f64::NAN, f64::floor));
    let seconds = |at: Timestamp| at.millis().div_euclid(1_000);
    let over = |end: f64| end.is_nan() || end <= to_f64(seconds(now - rules.clock_skew));
    if second("exp").is_none_or(over) {
        return Err(Untrusted::Expired);
    }
    let ahead = |from: f64| from.is_nan() || from > to_f64(seconds(now + rules.clock_skew));
    if ["nbf", "iat"].into_iter().filter_map(second).any(ahead) {
        return Err(Untrusted::NotYet);
    }
    Ok(())
}

/// Seconds of our time; far from where a double would be coarse.
fn to_f64(seconds: i64) -> f64 {
    i32::try_from(seconds)
        .map_or_else(|_| Duration::from_secs(seconds.unsigned_abs()).as_secs_f64(), f64::from)
}

/// The most that any value of the claim allows.
fn grant(claims: &Map<String, Value>, rules: &Rules) -> Result<Grant, Untrusted> {
    let roles: Vec<&str> = words(find(claims, &rules.role_claim)).collect();
    let is = |wanted: &[String]| roles.iter().any(|role| wanted.iter().any(|one| one == role));
    if is(&rules.operators) {
        return Ok(Grant::Operator);
    }
    let role = if is(&rules.admins) {
        Role::Admin
    } else if is(&rules.viewers) {
        Role::Viewer
    } else {
        return Err(Untrusted::Role);
    };
    let organization = find(claims, &rules.organization_claim).and_then(Value::as_str);
    let organization = organization.filter(|name| !name.is_empty());
    let organization = organization.ok_or(Untrusted::Organization)?.to_owned();
    Ok(Grant::Member { organization, role })
}

/// A claim by its name, or by a path through objects with dots between.
fn find<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    find(claims.get(first)?.as_object()?, rest)
}

/// A text, or each text of a list.
fn words(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = claim.and_then(Value::as_str);
    let many = claim.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules() -> Rules {
        let list = |text: &str| vec![text.to_owned()];
        Rules {
            issuer: "https://id.example".to_owned(),
            audience: "auditrelay".to_owned(),
            organization_claim: "org".to_owned(),
            role_claim: "realm_access.roles".to_owned(),
            admins: list("audit-admin"),
            viewers: list("audit-viewer"),
            operators: list("root"),
            clock_skew: Duration::from_mins(1),
        }
    }

    fn claims(changes: &Value) -> Map<String, Value> {
        let mut claims = json!({
            "iss": "https://id.example", "aud": ["other", "auditrelay"], "sub": "u1",
            "name": "Ada", "exp": 1_600, "iat": 1_000, "org": "Acme",
            "realm_access": {"roles": ["x", "audit-viewer"]},
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object().unwrap().clone()
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_nanos(0) + Duration::from_secs(seconds)
    }

    fn judged(changes: &Value) -> Result<Person, Untrusted> {
        judge(&claims(changes), &rules(), at(1_000))
    }

    #[test]
    fn claims_become_a_role_in_an_organization() {
        let person = judged(&json!({})).unwrap();
        assert_eq!((person.subject.as_str(), person.name.as_str()), ("u1", "Ada"));
        let member = |role| Grant::Member { organization: "Acme".to_owned(), role };
        assert_eq!(person.grant, member(Role::Viewer));
        let both = json!({"realm_access": {"roles": ["audit-viewer", "audit-admin"]}});
        assert_eq!(judged(&both).unwrap().grant, member(Role::Admin));
        let root = json!({"realm_access": {"roles": "root"}, "org": null});
        assert_eq!(judged(&root).unwrap().grant, Grant::Operator);
        assert_eq!(judged(&json!({"name": null})).unwrap().name, "u1");
    }

    #[test]
    fn what_is_not_right_is_not_trusted() {
        for (changes, why) in [
            (json!({"iss": "https://id.example/"}), Untrusted::Issuer),
            (json!({"iss": null}), Untrusted::Issuer),
            (json!({"aud": "other"}), Untrusted::Audience),
            (json!({"aud": null}), Untrusted::Audience),
            (json!({"exp": 939}), Untrusted::Expired),
            (json!({"exp": null}), Untrusted::Expired),
            (json!({"exp": "1600"}), Untrusted::Expired),
            (json!({"nbf": 1_061}), Untrusted::NotYet),
            (json!({"iat": 1_061}), Untrusted::NotYet),
            (json!({"sub": ""}), Untrusted::Subject),
            (json!({"sub": "a\nb"}), Untrusted::Subject),
            (json!({"realm_access": {"roles": []}}), Untrusted::Role),
            (json!({"realm_access": "audit-admin"}), Untrusted::Role),
            (json!({"org": ""}), Untrusted::Organization),
            (json!({"org": ["Acme"]}), Untrusted::Organization),
        ] {
            assert_eq!(judged(&changes), Err(why), "{changes}");
        }
        for changes in [json!({"exp": 941}), json!({"nbf": 1_060}), json!({"exp": 1e300})] {
            assert!(judged(&changes).is_ok(), "clocks may differ: {changes}");
        }
    }
}
