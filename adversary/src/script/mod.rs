//! The script language: the words in which attacks are written, over a world that performs them.

pub mod performer;
