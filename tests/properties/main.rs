//! What an honest world owes its users, whatever they do.

mod append_cost;
mod basics;
mod crashes;
mod model;
