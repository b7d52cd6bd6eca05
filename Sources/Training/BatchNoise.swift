// Where FANoise meets the batch: which tensors, which rows, which spectrum. Not here: the noise itself (FANoise).
//
// Shapes: B local rows, N global rows, R token rows, D width, E embedding width.

import Autograd
import Buffers
import Collectives
import Datasets
import Encoders
import FANoise
import Kernels

/// The two sides of a pair: stream numbers of their noise.
enum NoiseSide: UInt32 { case query = 0, target = 1 }
