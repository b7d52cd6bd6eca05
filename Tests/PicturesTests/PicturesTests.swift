// Tests of Pictures.
