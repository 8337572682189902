//! What any client can be asked to do and what it can answer, in plain names and bytes.

use std::fmt;

use crate::codec::coded;

/// The name of a user's first device.
pub const FIRST: &str = "first";

coded! {
    /// One device of one user.
    #[derive(PartialOrd, Ord, Hash)]
    pub struct DeviceName {
        /// Whose.
        pub user: String,
        /// Which; [`FIRST`] for the one that signed up.
        pub device: String,
    }
}

impl DeviceName {
    /// Names a device.
    pub fn new(user: impl Into<String>, device: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            device: device.into(),
        }
    }

    /// The device that the user signed up with.
    pub fn first(user: impl Into<String>) -> Self {
        Self::new(user, FIRST)
    }

    /// Reads `user` or `user/device`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            Some((user, device)) => Self::new(user, device),
            None => Self::first(text),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.user, self.device)
    }
}

coded! {
    /// One operation of the workload.
    pub enum Operation {
        /// Makes the account.
        0 => SignUp,
        /// Logs in, on this device, once more or for the first time.
        1 => Login,
        /// Writes a whole file.
        2 => Upload {
            /// Its name.
            name: Vec<u8>,
            /// All of it.
            content: Vec<u8>,
        },
        /// Writes several files as one batch.
        3 => UploadMany {
            /// Names and contents.
            files: Vec<(Vec<u8>, Vec<u8>)>,
        },
        /// Reads a whole file.
        4 => Download {
            /// Its name.
            name: Vec<u8>,
        },
        /// Adds to the end of a file.
        5 => Append {
            /// Its name.
            name: Vec<u8>,
            /// What is added.
            content: Vec<u8>,
        },
        /// Removes a file.
        6 => Delete {
            /// Its name.
            name: Vec<u8>,
        },
        /// Lists all names.
        7 => List,
        /// Invites a user to a file.
        8 => Share {
            /// The file.
            name: Vec<u8>,
            /// The user.
            with: String,
        },
        /// Takes an invitation.
        9 => Receive {
            /// Who invited.
            from: String,
            /// The name at the sender; without it, `pointer` tells.
            name: Option<Vec<u8>>,
            /// What `share` returned at the sender, passed on outside.
            pointer: Option<Vec<u8>>,
            /// The name here.
            as_name: Vec<u8>,
        },
        /// Excludes a user from a file.
        10 => Revoke {
            /// The file.
            name: Vec<u8>,
            /// The user.
            from: String,
        },
        /// The fingerprint of a user's keys, to be compared outside.
        11 => Fingerprint {
            /// The user.
            user: String,
        },
        /// States that a fingerprint was compared outside.
        12 => Verify {
            /// The user.
            user: String,
            /// What the user read out.
            fingerprint: Vec<u8>,
        },
        /// Exchanges accepted heads and pinned keys with another device.
        13 => Compare {
            /// The other one.
            other: DeviceName,
        },
        /// Writes a whole file, of which the client sends what changed.
        14 => Update {
            /// Its name.
            name: Vec<u8>,
            /// All of it.
            content: Vec<u8>,
        },
    }
}

impl Operation {
    /// The word of the script language.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SignUp => "sign_up",
            Self::Login => "login",
            Self::Upload { .. } => "upload",
            Self::UploadMany { .. } => "upload_many",
            Self::Download { .. } => "download",
            Self::Append { .. } => "append",
            Self::Delete { .. } => "delete",
            Self::List => "list",
            Self::Share { .. } => "share",
            Self::Receive { .. } => "receive",
            Self::Revoke { .. } => "revoke",
            Self::Fingerprint { .. } => "fingerprint",
            Self::Verify { .. } => "verify",
            Self::Compare { .. } => "compare",
            Self::Update { .. } => "update",
        }
    }
}

coded! {
    /// What the client says of its own answer. Only ever compared with the truth.
    #[derive(Default)]
    pub struct Claims {
        /// Whether the state is known to be no older than one that this device saw before.
        pub monotone: Option<bool>,
        /// Whether somebody vouches for an age; no client of ours does yet.
        pub bounded: Option<bool>,
        /// How many other devices vouch for the state.
        pub witnesses: Option<u32>,
        /// Whether the contact's key was compared outside.
        pub contact_verified: Option<bool>,
    }
}

coded! {
    /// What a successful operation returns.
    #[derive(Default)]
    pub struct Answer {
        /// The bytes of a file.
        pub content: Option<Vec<u8>>,
        /// The names of a listing.
        pub names: Option<Vec<Vec<u8>>>,
        /// What a share returns for its recipient.
        pub pointer: Option<Vec<u8>>,
        /// A fingerprint.
        pub fingerprint: Option<Vec<u8>>,
        /// What the client says about the answer.
        pub claims: Claims,
    }
}

coded! {
    /// The class of a failure, as the client gives it.
    #[derive(Copy, PartialOrd, Ord, Hash)]
    pub enum Class {
        /// The server is caught.
        0 => Violation,
        /// No usable answer; nothing is proved.
        1 => Unavailable,
        /// The caller's mistake.
        2 => Usage,
        /// The client does not tell, or the device was stopped.
        3 => Other,
    }
}

impl Class {
    /// The word of scripts and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Violation => "violation",
            Self::Unavailable => "unavailable",
            Self::Usage => "usage",
            Self::Other => "other",
        }
    }
}

coded! {
    /// Why an operation failed.
    pub struct Failure {
        /// The class.
        pub class: Class,
        /// The client's stable word for it, such as `rollback`.
        pub name: String,
        /// The client's sentence.
        pub text: String,
    }
}

impl Failure {
    /// The name of the failure of an operation whose device was stopped.
    pub const CRASHED: &'static str = "crashed";
    /// The name of the failure of a client that panicked.
    pub const PANICKED: &'static str = "panicked";
    /// The name of the failure of a client that outgrew a budget of the run.
    pub const EXHAUSTED: &'static str = "exhausted";

    /// The names of ends that the testbed alone gives, and no client.
    pub const OF_THE_STAGE: [&'static str; 3] = [Self::CRASHED, Self::PANICKED, Self::EXHAUSTED];

    /// A failure without more to say than its name.
    pub fn new(class: Class, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            class,
            text: name.clone(),
            name,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.class.name(), self.name)
    }
}

/// How an operation ended.
pub type Outcome = Result<Answer, Failure>;

#[cfg(test)]
mod tests {
    use super::DeviceName;

    #[test]
    fn a_user_alone_names_the_first_device() {
        assert_eq!(DeviceName::parse("bob"), DeviceName::first("bob"));
        let phone = DeviceName::parse("alice/phone");
        assert_eq!(phone, DeviceName::new("alice", "phone"));
        assert_eq!(phone.to_string(), "alice/phone");
    }
}
