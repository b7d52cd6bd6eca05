// One pass over memory for each rule of update. Not here: schedules, clipping, which parameters decay, trust ratios.
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

DISPATCH void fanoise_sgd(float *p, const float *g, float *m, long n, fanoise_sgd_constants k) {
    FOR_VECTORS(i, n, part, {
        v16 gradient = get(g + i, part) * k.gradient_scale;
        v16 velocity = get(m + i, part) * k.momentum + gradient;
        v16 direction = velocity * k.velocity_share + gradient * k.gradient_share;
        put(p + i, get(p + i, part) * k.decay - k.learning_rate * direction, part);
        put(m + i, velocity, part);
    });
}

DISPATCH void fanoise_lion(float *p, const float *g, float *m, long n, fanoise_lion_constants k) {
    FOR_VECTORS(i, n, part, {
        v16 gradient = get(g + i, part) * k.gradient_scale;
        v16 moment = get(m + i, part);
        v16 c = moment * k.beta1 + gradient * k.one_minus_beta1;
        v16 sign = c > 0 ? (v16)1.0f : (v16)0.0f;
        sign = c < 0 ? (v16)-1.0f : sign;
        put(p + i, get(p + i, part) * k.decay - k.learning_rate * sign, part);
        put(m + i, moment * k.beta2 + gradient * k.one_minus_beta2, part);
    });
}

DISPATCH void fanoise_lamb_direction(
    const float *p, float *g, float *m, float *v, long n, fanoise_lamb_constants k, double *squares) {
    d8 parameters = 0, directions = 0;
    FOR_VECTORS(i, n, part, {
        v16 gradient = get(g + i, part) * k.gradient_scale;
        v16 first = get(m + i, part) * k.beta1 + gradient * k.one_minus_beta1;
        v16 second = get(v + i, part) * k.beta2 + gradient * gradient * k.one_minus_beta2;
        v16 root = __builtin_elementwise_sqrt(second) * k.inverse_root_correction + k.epsilon;
        v16 parameter = get(p + i, part);
        v16 direction = first * k.inverse_correction / root + k.weight_decay * parameter;
        put(g + i, direction, part);
        put(m + i, first, part);
        put(v + i, second, part);
        // The lanes past a last, incomplete vector are zero in all of g, m, v and p, and so here.
        d8 a = __builtin_convertvector(parameter.lo, d8);
        d8 b = __builtin_convertvector(parameter.hi, d8);
        d8 c = __builtin_convertvector(direction.lo, d8);
        d8 d = __builtin_convertvector(direction.hi, d8);
        parameters += a * a + b * b;
        directions += c * c + d * d;
    });
    squares[0] += sum_double(parameters);
    squares[1] += sum_double(directions);
}

DISPATCH void fanoise_average(float *e, const float *p, float share, long n) {
    FOR_VECTORS(i, n, part, {
        v16 average = get(e + i, part);
        put(e + i, average + share * (get(p + i, part) - average), part);
    });
}
