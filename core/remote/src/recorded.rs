//! Connections to nowhere, whose other side has said beforehand all that it says.

use std::sync::Arc;

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Makes connections on which these bytes come, and then the end.
#[derive(Debug)]
pub(crate) struct Recorded(Arc<[u8]>);

impl Recorded {
    pub(crate) fn new(reply: &[u8]) -> Self {
        Self(reply.into())
    }
}

impl Connector<()> for Recorded {
    type Out = Playing;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<Playing>, Error> {
        let config = details.config;
        Ok(Some(Playing {
            buffers: LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size()),
            reply: Arc::clone(&self.0),
            at: 0,
        }))
    }
}

/// One such connection.
#[derive(Debug)]
pub(crate) struct Playing {
    buffers: LazyBuffers,
    reply: Arc<[u8]>,
    at: usize,
}

impl Transport for Playing {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, _: usize, _: NextTimeout) -> Result<(), Error> {
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let left = self.reply.get(self.at..).unwrap_or_default();
        let room = self.buffers.input_append_buf();
        let count = left.len().min(room.len());
        for (to, from) in room.iter_mut().zip(left) {
            *to = *from;
        }
        self.buffers.input_appended(count);
        self.at = self.at.saturating_add(count);
        Ok(count > 0)
    }

    fn is_open(&mut self) -> bool {
        false
    }
}
