// This target's sources stand here.
