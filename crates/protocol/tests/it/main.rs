//! The messages against themselves, against another implementation, and against Kafka's bytes.

mod another_crate;
mod captured;
mod entry_points;
mod frames;
mod fuzz;
mod large;
mod malformed;
mod own_fields;
mod round_trip;
mod sample;
mod shown;
mod values;
