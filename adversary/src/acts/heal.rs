//! heal: the server is honest from here on.

use crate::honest::store::Versions;

impl Versions {
    /// Ends every act. Everyone is shown the trunk as it is.
    pub fn heal(&mut self) {
        self.end_lies();
    }
}
