//! The journal: the only owner of the database.
