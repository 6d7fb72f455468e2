//! The image and what it says of itself: what is in it, how it runs as a pod runs it, and that the Dockerfile says the same
//! as the manifests.
//!
//! There is no container engine: the files are laid out by the script that the Dockerfile calls, and the program runs with
//! these as its whole file system, read only. Where this can't be had, its tests say so and show nothing.

mod agreement;
mod origin;
mod root;
mod shipped;
