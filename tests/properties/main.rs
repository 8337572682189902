//! What an honest world owes its users, whatever they do.

mod accounts;
mod append_cost;
mod basics;
mod chaos;
mod crashes;
mod files;
mod frames;
mod half_done;
mod many;
mod model;
mod noise;
mod resume;
mod sharing;
mod trusted_state;
mod update;
mod update_lies;
mod versions;
