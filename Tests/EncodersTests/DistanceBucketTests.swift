// The buckets of distances against transformers' own function.

import Testing

@testable import Encoders

struct DistanceBucketTests {
    /// MPNetEncoder.relative_position_bucket of transformers 5.24.0 for query − key = 0, 1, …: the first distance of each bucket from
    /// 8 on; 128 and all beyond are in the last.
    @Test func bucketsBeginWhereTransformersHasThem() {
        let firsts = [8: 8, 12: 9, 16: 10, 23: 11, 32: 12, 46: 13, 64: 14, 91: 15]
        for distance in 0...300 {
            let expected = distance < 8 ? distance : firsts.filter { $0.key <= distance }.map(\.value).max() ?? 0
            #expect(DistanceBuckets.bucket(of: distance) == expected, "\(distance)")
            #expect(DistanceBuckets.bucket(of: -distance) == (distance == 0 ? 0 : expected + 16), "-\(distance)")
        }
    }
}
