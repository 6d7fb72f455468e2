//! What the API server itself refuses, in words that help, and what it lets through.
//!
//! Resources are written as people write them, in YAML, and reach the server in each way that there is: through kubectl,
//! whose words are kept as snapshots, as a new resource and as a change, in earnest and as a dry run. The plugin's `lint` judges each of
//! them as well, and has to come to the same verdict.

mod cost;
mod endpoints;
mod fields;
mod identities;
mod ids;
mod immutable;
mod judge;
mod linted;
mod loosened;
mod metadata;
mod names;
mod ports;
mod scalars;
mod selectors;
mod switches;
mod timeouts;
mod windows;
mod written;
