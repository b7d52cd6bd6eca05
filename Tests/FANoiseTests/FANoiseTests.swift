// Tests of FANoise.
