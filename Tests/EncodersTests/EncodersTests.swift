// Tests of Encoders.
