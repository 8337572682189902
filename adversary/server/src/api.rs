//! The API of the server: the document, and which status an answer has.

use turncoat_core::wire::Refusal;

/// The status of an answer. Clients read the frame in the body; the status is for everything that
/// stands between.
#[must_use]
pub const fn status(refusal: Option<Refusal>) -> u16 {
    match refusal {
        None => 200,
        Some(Refusal::Invalid) => 400,
        Some(Refusal::Unauthenticated) => 401,
        Some(Refusal::NotFound) => 404,
        Some(Refusal::Conflict | Refusal::Exists) => 409,
        Some(Refusal::TooLarge) => 413,
        Some(Refusal::Busy) => 503,
    }
}

/// The API as an OpenAPI 3.1 document.
pub const OPENAPI: &str = include_str!("../openapi.yaml");

#[cfg(test)]
mod tests {
    use turncoat_remote::api::{MEDIA_TYPE, Operation};

    use super::OPENAPI;

    /// The paths of the document: keys of two columns' depth that begin with a slash.
    fn documented() -> Vec<&'static str> {
        let keys = OPENAPI.lines().filter_map(|line| line.strip_prefix("  /"));
        keys.filter_map(|key| key.strip_suffix(':')).collect()
    }

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let mut routes: Vec<&str> = Operation::ALL
            .iter()
            .map(|operation| operation.path().trim_start_matches('/'))
            .collect();
        let mut documented = documented();
        routes.sort_unstable();
        documented.sort_unstable();
        assert_eq!(documented, routes);
        assert!(OPENAPI.contains(MEDIA_TYPE));
    }
}
