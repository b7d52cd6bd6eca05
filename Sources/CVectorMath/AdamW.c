// One fused pass of AdamW. Not here: schedules, clipping, which parameters decay.
#include "CVectorMath.h"
#include "Vector.h"

DISPATCH void fanoise_adamw(float *p, const float *g, float *m, float *v, long n, fanoise_adamw_constants k) {
    FOR_VECTORS(i, n, part, {
        v16 gradient = get(g + i, part) * k.gradient_scale;
        v16 first = get(m + i, part) * k.beta1 + gradient * k.one_minus_beta1;
        v16 second = get(v + i, part) * k.beta2 + gradient * gradient * k.one_minus_beta2;
        v16 root = __builtin_elementwise_sqrt(second) * k.inverse_root_correction + k.epsilon;
        put(p + i, get(p + i, part) * k.decay - k.step_size * first / root, part);
        put(m + i, first, part);
        put(v + i, second, part);
    });
}
