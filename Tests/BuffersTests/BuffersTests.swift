// Tests of Buffers.
