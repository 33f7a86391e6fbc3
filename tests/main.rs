//! End to end: `ls` reads as a table of promises.
mod login;
