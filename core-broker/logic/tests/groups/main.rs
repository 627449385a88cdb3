//! Consumer groups: each trap that caught another broker as a script, and what must hold always.

mod properties;
mod records;
mod script;
mod traps_commits;
mod traps_joins;
mod traps_static;
