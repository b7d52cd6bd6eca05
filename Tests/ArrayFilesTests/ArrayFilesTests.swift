// Tests of ArrayFiles.
