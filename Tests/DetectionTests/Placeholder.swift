// Tests of this target stand here.
