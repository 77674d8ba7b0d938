//! Clocks and chance of the machine.
