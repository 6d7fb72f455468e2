//! What a program says of itself.

mod origin;
