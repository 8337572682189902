//! Reads one canonical encoding, totally: every input is accepted in one way or refused.

use alloc::vec::Vec;

/// The bytes are not the canonical encoding of anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Bytes of memory that the items of lists may take for each byte of input, beside [`LIST_FREE`].
/// The most that an honest message comes to is the trie of a directory, with about thirteen.
const LIST_RATIO: usize = 16;
/// Bytes of memory that the items of lists may take in any case.
const LIST_FREE: usize = 64 << 10;

/// A cursor over untrusted bytes. It never reads past them. The lists that it makes take at most
/// sixteen times the memory of the input, and 64 KiB: an item may be far larger than its encoding.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    /// Bytes of memory that items of lists may still take.
    memory: usize,
}

impl<'a> Reader<'a> {
    /// Decodes the whole input; trailing bytes are refused.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where `decode` says so, or if it leaves bytes.
    pub fn all<T>(
        input: &'a [u8],
        decode: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let mut reader = Self {
            rest: input,
            memory: input
                .len()
                .saturating_mul(LIST_RATIO)
                .saturating_add(LIST_FREE),
        };
        let value = decode(&mut reader)?;
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(Malformed)
        }
    }

    /// Bytes that are left.
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Takes exactly `size` bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if fewer are left.
    pub fn take(&mut self, size: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(size).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }

    /// Takes `N` bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if fewer are left.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }

    /// Takes one byte.
    ///
    /// # Errors
    ///
    /// [`Malformed`] at the end.
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Takes a big-endian integer of two bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] at the end.
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// Takes a big-endian integer of four bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] at the end.
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    /// Takes a big-endian integer of eight bytes.
    ///
    /// # Errors
    ///
    /// [`Malformed`] at the end.
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    /// Takes a flag: zero or one, and nothing else.
    ///
    /// # Errors
    ///
    /// [`Malformed`] for any other byte.
    pub fn flag(&mut self) -> Result<bool, Malformed> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }

    /// Takes bytes behind their length.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the length is more than what is left.
    pub fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let size = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        self.take(size)
    }

    /// Takes a value that may be absent.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where `decode` says so.
    pub fn option<T>(
        &mut self,
        decode: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.flag()? {
            decode(self).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Takes a list behind its count. The count is paid for before the first item is made.
    ///
    /// # Errors
    ///
    /// [`Malformed`] where `decode` says so, and for a count that takes too much memory.
    pub fn list<T>(
        &mut self,
        mut decode: impl FnMut(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = usize::try_from(self.u32()?).map_err(|_| Malformed)?;
        if count > self.rest.len() {
            return Err(Malformed);
        }
        let taken = count.checked_mul(size_of::<T>()).ok_or(Malformed)?;
        self.memory = self.memory.checked_sub(taken).ok_or(Malformed)?;
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(decode(self)?);
        }
        Ok(items)
    }

    /// Takes zero bytes up to the end; anything else is not canonical padding.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a byte is not zero.
    pub fn zeros(&mut self, size: usize) -> Result<(), Malformed> {
        if self.take(size)?.iter().all(|&byte| byte == 0) {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LIST_FREE, Malformed, Reader};

    /// Reads a list of items of one byte each that take 512 bytes of memory; says how many were
    /// made.
    fn made(count: usize) -> (usize, Option<Malformed>) {
        let stated = u32::try_from(count).unwrap_or(u32::MAX);
        let mut input = stated.to_be_bytes().to_vec();
        input.resize(4 + count, 0);
        let mut items = 0;
        let read = Reader::all(&input, |reader| {
            reader.list(|reader| {
                items += 1;
                reader.take(1).map(|_| [0_u8; 512])
            })
        });
        (items, read.err())
    }

    #[test]
    fn list_that_would_take_far_more_memory_than_its_bytes_is_refused_before_its_first_item() {
        assert_eq!(made(1 << 20), (0, Some(Malformed)));
        assert_eq!(made(1000), (0, Some(Malformed)));
    }

    #[test]
    fn short_list_of_large_items_is_read() {
        let count = LIST_FREE / 512;
        assert_eq!(made(count), (count, None));
    }
}
