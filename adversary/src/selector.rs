//! How acts address views and messages: by user, device, kind and occurrence.

use std::fmt;

use crate::client::DeviceName;
use crate::codec::coded;

coded! {
    /// To whom something is shown.
    #[derive(PartialOrd, Ord, Hash)]
    pub enum Audience {
        /// All devices of all users.
        0 => Everyone,
        /// All devices of one user.
        1 => User {
            /// The user.
            user: String,
        },
        /// One device.
        2 => Device {
            /// The device.
            device: DeviceName,
        },
    }
}

impl Audience {
    /// Reads `*`, `user` or `user/device`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((user, device)) => Self::Device {
                device: DeviceName::new(user, device),
            },
            None if text.is_empty() || text == "*" => Self::Everyone,
            None => Self::User {
                user: text.to_owned(),
            },
        }
    }

    /// Whether the device belongs to it.
    #[must_use]
    pub fn includes(&self, name: &DeviceName) -> bool {
        match self {
            Self::Everyone => true,
            Self::User { user } => *user == name.user,
            Self::Device { device } => device == name,
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("*"),
            Self::User { user } => f.write_str(user),
            Self::Device { device } => device.fmt(f),
        }
    }
}

coded! {
    /// Which messages are meant, such as `alice/phone:read#2`.
    pub struct Selector {
        /// From whom.
        pub audience: Audience,
        /// The name of the message; any without it.
        pub kind: Option<String>,
        /// The how-manieth match, counted from one; every one without it.
        pub occurrence: Option<u32>,
    }
}

impl Selector {
    /// Reads `[user[/device]:]kind[#occurrence]`, where the kind may be `*`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (audience, rest) = match text.split_once(':') {
            Some((audience, rest)) => (Audience::parse(audience), rest),
            None => (Audience::Everyone, text),
        };
        let (kind, occurrence) = match rest.split_once('#') {
            Some((kind, number)) => (
                kind,
                Some(number.parse().ok().filter(|number| *number > 0)?),
            ),
            None => (rest, None),
        };
        Some(Self {
            audience,
            kind: match kind {
                "" => return None,
                "*" => None,
                kind => Some(kind.to_owned()),
            },
            occurrence,
        })
    }

    /// Whether a message of this kind from this device is meant, its occurrence apart.
    #[must_use]
    pub fn matches(&self, device: &DeviceName, kind: &str) -> bool {
        self.audience.includes(device) && self.kind.as_deref().is_none_or(|own| own == kind)
    }

    /// Whether the `count`-th match, counted from one, is meant.
    #[must_use]
    pub fn wants(&self, count: u32) -> bool {
        self.occurrence.is_none_or(|own| own == count)
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.audience != Audience::Everyone {
            write!(f, "{}:", self.audience)?;
        }
        f.write_str(self.kind.as_deref().unwrap_or("*"))?;
        match self.occurrence {
            Some(occurrence) => write!(f, "#{occurrence}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Audience, Selector};
    use crate::client::DeviceName;

    #[test]
    fn selectors_read_back_as_they_print() {
        for text in [
            "read",
            "*",
            "alice:read",
            "alice/phone:commit",
            "read#2",
            "bob:*#7",
        ] {
            let selector = Selector::parse(text).expect("a selector");
            assert_eq!(selector.to_string(), text);
        }
        for text in ["", "alice:", "read#", "read#0", "read#x"] {
            assert_eq!(Selector::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_user_means_all_devices_and_a_device_itself_alone() {
        let phone = DeviceName::new("alice", "phone");
        let read = |text| Selector::parse(text).expect("a selector");
        assert!(read("alice:read").matches(&phone, "read"));
        assert!(read("alice/phone:*").matches(&phone, "read"));
        assert!(!read("alice/first:read").matches(&phone, "read"));
        assert!(!read("alice:read").matches(&phone, "commit"));
        assert!(Audience::Everyone.includes(&phone));
        assert!(read("read#2").wants(2) && !read("read#2").wants(1));
    }
}
