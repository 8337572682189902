//! Whatever ran once runs again: seeds of fuzz targets, scripts of the library, attacks as values.

mod fuzzed;
mod histories;
mod library;
mod over_http;
mod straw;
mod values;
