//! Storage acts: what a device is shown in place of the truth, whatever its front.
//!
//! Each act changes what the honest rules find when they read the store for an
//! [`Audience`](crate::selector::Audience). It holds until the object is written again, another act
//! follows, or [`heal`](crate::honest::store::Versions::heal).

pub mod collude;
mod fork;
mod freeze;
mod heal;
mod resurrect;
mod roll_back;
mod substitute;
mod tamper;
mod withhold;

/// The object that the act is about is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchObject;

#[cfg(test)]
mod tests;
