//! The stories. Names begin with the id of the field case that a story tells; each was somebody's outage.

mod basics;
