// Tests of Collectives.
