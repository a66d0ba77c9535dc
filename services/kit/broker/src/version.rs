//! Versions of nats-server.

use std::fmt;

/// `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

impl Version {
    /// Older servers ignore fields that auditrelay relies on, without an error.
    pub const FLOOR: Self = Self(2, 14, 7);

    /// Reads what `nats-server -v` says: `nats-server: v2.15.1`; a pre-release counts as its
    /// release.
    pub fn parse(said: &str) -> Option<Self> {
        let text = said.trim().rsplit([' ', 'v']).next()?;
        let text = text.split(['-', '+']).next()?;
        let mut parts = text.split('.').map(|part| part.parse::<u32>().ok());
        let version = Self(parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_server_says() {
        assert_eq!(Version::parse("nats-server: v2.15.1\n"), Some(Version(2, 15, 1)));
        assert_eq!(Version::parse("nats-server: v2.16.0-RC.1"), Some(Version(2, 16, 0)));
        assert_eq!(Version::parse("2.14.7"), Some(Version(2, 14, 7)));
        for nonsense in ["", "nats-server: vX", "nats-server: v2.15", "v1.2.3.4"] {
            assert_eq!(Version::parse(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn debians_server_is_below_the_floor() {
        assert!(Version(2, 9, 10) < Version::FLOOR && Version(2, 14, 6) < Version::FLOOR);
        assert!(Version(2, 14, 7) >= Version::FLOOR && Version(3, 0, 0) > Version::FLOOR);
    }
}
