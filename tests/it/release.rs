//! The files of a release: the same bytes in each folder, and what registry, Helm, API server and cosign make of them.
//!
//! `build/release` makes them of a copy of the sources, with stand-ins for what cargo builds. Whether that is the same in each
//! folder too, `make release` compares each time.

mod bytes;
mod made;
mod page;
mod places;
mod registry;
mod signing;
mod workflows;
