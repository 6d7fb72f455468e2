//! What is documented of the cloud's answers, from both sides.
//!
//! `tests/fixtures/api` holds documented answers with invented values, `tests/fixtures/schema` what the pages say of each
//! field. The operator's client has to read every fixture, the simulator has to answer in the shape of every fixture, and
//! whatever the simulator says has to fit the schemas. So neither side can misread a page alone.

mod documents;
mod parsed;
mod produced;
mod raw;
mod run;
mod schemas;
mod shape;
