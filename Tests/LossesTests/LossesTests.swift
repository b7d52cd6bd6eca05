// Tests of Losses.
