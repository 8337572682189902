//! The API of the server, as a document.

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
