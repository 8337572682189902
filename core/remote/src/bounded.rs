//! Bounds what one exchange reads from its connection: the body, its framing, and all that a server
//! may say before and after it.

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport,
};

/// Bytes of one reply at most, with everything around it. A frame has half of that.
const EXCHANGE_MAX: u64 = 16 << 20;

/// Connections that count.
#[derive(Debug, Default)]
pub(crate) struct Bounded<C = DefaultConnector>(pub(crate) C);

impl<C: Connector<(), Out: Transport>> Connector<()> for Bounded<C> {
    type Out = Counted;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<()>,
    ) -> Result<Option<Counted>, Error> {
        let connection = self.0.connect(details, chained)?;
        Ok(connection.map(|connection| Counted {
            connection: Box::new(connection),
            read: 0,
        }))
    }
}

/// A connection, and how much it has read since a request was last written.
#[derive(Debug)]
pub(crate) struct Counted {
    connection: Box<dyn Transport>,
    read: u64,
}

impl Counted {
    fn unread(&mut self) -> usize {
        self.connection.buffers().input().len()
    }
}

impl Transport for Counted {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.read = 0;
        self.connection.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let before = self.unread();
        let progress = self.connection.await_input(timeout)?;
        let arrived = self.unread().saturating_sub(before);
        let arrived = u64::try_from(arrived).unwrap_or(u64::MAX);
        self.read = self.read.saturating_add(arrived);
        match self.read > EXCHANGE_MAX {
            true => Err(Error::BodyExceedsLimit(EXCHANGE_MAX)),
            false => Ok(progress),
        }
    }

    fn is_open(&mut self) -> bool {
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}
