//! Consumer groups: each trap that caught another broker as a script, and what must hold always.

mod admin;
mod cooperative;
mod properties;
mod records;
mod retention;
mod scale;
mod script;
mod traps_commits;
mod traps_joins;
mod traps_static;
