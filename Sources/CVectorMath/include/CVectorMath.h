// Innermost vector loops, one core each, chosen for the CPU when the program is loaded. Sizes are checked by the callers (Kernels);
// matrices are row-major and dense; pointers marked nullable may be NULL. Nothing here allocates.
#ifndef FANOISE_CVECTORMATH_H
#define FANOISE_CVECTORMATH_H

#include <stdint.h>

#pragma clang assume_nonnull begin

enum {
    FANOISE_IDENTITY = 0,
    FANOISE_GELU_TANH = 1,
    FANOISE_GELU_ERF = 2,
    FANOISE_QUICK_GELU = 3,
    FANOISE_RELU = 4,
    FANOISE_SILU = 5,
    FANOISE_TANH = 6
};

/// pre += bias (if any), y = act(pre).
void fanoise_bias_activation(float *pre, const float *_Nullable bias, long rows, long columns, int kind, float *y);
/// dx = dy · act'(pre); dx may be dy.
void fanoise_activation_backward(const float *dy, const float *pre, long count, int kind, float *dx);
/// total_c += Σ_r x_rc; rows lie `stride` apart.
void fanoise_add_column_sums(const float *x, long stride, long rows, long columns, float *total);

/// What follows a product, element by element, in this order; matrices beside C are M×N, their rows `stride` apart.
typedef struct {
    /// C += bias_N.
    const float *_Nullable bias;
    /// C += residual.
    const float *_Nullable residual;
    int activation;
    /// activated = act(C); may be C.
    float *_Nullable activated;
    /// C = C · act'(differentiated), which becomes act(differentiated): backwards through an activation, instead of forwards.
    float *_Nullable differentiated;
    long stride;
} fanoise_epilogue;

/// Whether this CPU has a matrix unit (Intel AMX) that the kernel lends to this process, which it asks for.
int fanoise_has_matrix_unit(void);
/// Floats of scratch memory that a product needs.
long fanoise_product_scratch(int on_unit, long columns, long depth, int a_transposed);
/// C_MN = alpha · op(A) · op(B), added to C if `accumulate`; then the epilogue. M, N, K are above 0; C is no operand. On the matrix unit, if
/// there is one, or in vector registers: to the precision of float32 either way, to the bit only on the same.
/// sums_m += Σ_k op(A)_mk, if wanted, which they may be of a transposed A alone.
void fanoise_product(
    int on_unit, long rows, long columns, long depth, const float *a, long a_stride, int a_transposed, const float *b, long b_stride,
    int b_transposed, float alpha, int accumulate, float *c, long c_stride, const fanoise_epilogue *_Nullable epilogue,
    float *_Nullable sums, float *scratch);

/// y = gain ⊙ (x − mean) · inverse + shift, inverse = 1/√(variance + ε).
void fanoise_layer_norm(
    const float *x, const float *gain, const float *shift, float epsilon, long rows, long columns, float *y, float *mean, float *inverse);
/// Overwrites dx (which may be dy) with the gradient plus `added`, if any; adds to dgain and dshift.
void fanoise_layer_norm_backward(
    const float *dy, const float *x, const float *gain, const float *mean, const float *inverse, const float *_Nullable added, long rows,
    long columns, float *dx, float *_Nullable dgain, float *_Nullable dshift);
/// y = x / max(‖x‖, ε); inverse = 1/‖x‖, or −1/ε for rows no longer than ε.
void fanoise_normalize_rows(const float *x, float epsilon, long rows, long columns, float *y, float *inverse);
/// dx = (dy − (dy·y) y) / ‖x‖, or dy/ε; dx may be dy.
void fanoise_normalize_rows_backward(const float *dy, const float *y, const float *inverse, long rows, long columns, float *dx);

/// y += scale · x.
void fanoise_add_scaled(float *y, const float *x, float scale, long count);
/// y = a + b.
void fanoise_sum(const float *a, const float *b, float *y, long count);
/// y = scale · y.
void fanoise_scale(float *y, float scale, long count);
/// Σ x_i y_i, products and sum in float64.
double fanoise_dot(const float *x, const float *y, long count);
/// Index of the first NaN or infinity, −1 without any.
long fanoise_first_non_finite(const float *x, long count);
/// The largest element, −∞ of none; NaN is not promised to be seen.
float fanoise_row_max(const float *x, long count);
/// Index of the first element that is `threshold` or more; -1 when there is none. NaN is less than everything.
long fanoise_first_at_least(const float *x, long count, float threshold);
/// Σ e^(x_i − maximum), summed in float64; 0 for maximum = −∞.
double fanoise_exp_sum_row(const float *x, long count, float maximum);
/// x = scale · e^(x − shift).
void fanoise_exp_scale_row(float *x, long count, float shift, float scale);

/// maxima_c = max_r tile_rc; rows lie `stride` apart.
void fanoise_column_max(const float *tile, long stride, long rows, long columns, float *maxima);
/// sums_c = Σ_r e^(tile_rc − references_c).
void fanoise_column_exp_sums(const float *tile, long stride, long rows, long columns, const float *references, float *sums);
/// x_i = scale · (e^(x_i − reference) + e^(x_i − references_i)).
void fanoise_exp_two_way_row(float *x, long count, float reference, const float *references, float scale);
/// x_i = e^x_i; adds them to column_sums_i unless that is NULL; returns Σ e^x_i, and the largest x_i (−∞ without any).
double fanoise_exp_row(float *x, long count, float *_Nullable column_sums, float *maximum);
/// x_i = x_i · (factor + factors_i).
void fanoise_scale_two_way_row(float *x, long count, float factor, const float *factors);
/// x_i = e^x_i · (factor + factors_i).
void fanoise_exp_scale_two_way_row(float *x, long count, float factor, const float *factors);
/// With z_i = x_i + bias: x_i = scale · sigmoid(z_i); returns Σ log(1 + e^z_i) and Σ sigmoid(z_i).
double fanoise_sigmoid_row(float *x, long count, float bias, float scale, double *sum);
/// y_i = x_i · [(w_i >> 8) < threshold] · scale, w_i word i mod 4 of Philox 4×32-10 at counter + (i / 4, 0, 0, 0); y may be x.
void fanoise_dropout_row(
    const float *x, long count, const uint32_t *counter, const uint32_t *key, uint32_t threshold, float scale, float *y);
/// Standard normals y_4b+j of the words w of Philox 4×32-10 at counter + (b, 0, 0, 0): √(−2 ln((w_0 + 1) / 2³²)) · (cos, sin)(2π w_1 / 2³²) for
/// j = 0 and 1, of w_2 and w_3 for 2 and 3.
void fanoise_normal_row(float *y, long count, const uint32_t *counter, const uint32_t *key);

/// Packed sequences: rows offsets[s] ..< offsets[s + 1] of qkv [T, 3·heads·head_width] attend to each other.
typedef struct {
    const long *offsets;
    long sequences;
    long heads;
    long head_width;
    /// Of the longest sequence.
    long longest;
    int causal;
    /// Added to the scores by distance: head h's element query − key + longest − 1, rows of 2 · longest + 15; the last 16 are zeros.
    const float *_Nullable bias;
} fanoise_attention_shape;

/// Floats of scratch memory that the two functions below need.
long fanoise_attention_forward_scratch(fanoise_attention_shape shape);
long fanoise_attention_backward_scratch(fanoise_attention_shape shape);
/// y [T, heads·head_width], log_sum_exp [T, heads].
void fanoise_attention_forward(fanoise_attention_shape shape, const float *qkv, float *y, float *log_sum_exp, float *scratch);
/// Overwrites dqkv, adds to dbias (laid out as the bias; its last 16 elements of a row stay as they are).
void fanoise_attention_backward(
    fanoise_attention_shape shape, const float *dy, const float *qkv, const float *y, const float *log_sum_exp, float *dqkv,
    float *_Nullable dbias, float *scratch);

/// One query for each packed sequence: it sees rows offsets[s] ..< ends[s] of those of its sequence, which end at offsets[s + 1].
typedef struct {
    const long *offsets;
    const long *ends;
    long sequences;
    long heads;
    long head_width;
    /// From one sequence's query to the next's; 0: all have the same.
    long query_stride;
} fanoise_query_attention_shape;

/// key_value [T, 2·heads·head_width], y [B, heads·head_width]; probabilities [heads, S] of every sequence of S rows, one behind the other.
void fanoise_query_attention_forward(
    fanoise_query_attention_shape shape, const float *query, const float *key_value, float *y, float *probabilities);
/// Overwrites dquery [B, heads·head_width], of every sequence by itself, and dkey_value.
void fanoise_query_attention_backward(
    fanoise_query_attention_shape shape, const float *dy, const float *query, const float *key_value, const float *y,
    const float *probabilities, float *dquery, float *dkey_value);

/// Constants of one AdamW step: decay = 1 − rate · weight decay, step_size = rate / (1 − β₁ᵗ), inverse_root_correction = 1/√(1 − β₂ᵗ).
typedef struct {
    float gradient_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, decay, step_size, inverse_root_correction, epsilon;
} fanoise_adamw_constants;

void fanoise_adamw(float *p, const float *g, float *m, float *v, long count, fanoise_adamw_constants constants);

/// Weights of the two following are multiples of 2^-22; sums are rounded to nearest, upwards in the middle, and cut to 0 ... 255.
enum { FANOISE_RESAMPLE_BITS = 22 };
/// output_x = Σ_t weights_t rows[t stride + x], x < count.
void fanoise_mix_rows(const uint8_t *rows, long stride, const int32_t *weights, long taps, long count, uint8_t *output);
/// Pixels of three bytes: output_x = Σ_t weights[x taps + t] row[starts_x + t], t < counts_x (at least 1), x < count.
void fanoise_mix_columns(
    const uint8_t *row, const int32_t *starts, const int32_t *counts, const int32_t *weights, long taps, long count, uint8_t *output);

/// SGD: decay = 1 − rate · weight decay; the direction is velocity_share · velocity + gradient_share · gradient.
typedef struct {
    float gradient_scale, momentum, velocity_share, gradient_share, decay, learning_rate;
} fanoise_sgd_constants;

void fanoise_sgd(float *p, const float *g, float *m, long count, fanoise_sgd_constants constants);

/// Lion: decay = 1 − rate · weight decay.
typedef struct {
    float gradient_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, decay, learning_rate;
} fanoise_lion_constants;

void fanoise_lion(float *p, const float *g, float *m, long count, fanoise_lion_constants constants);

/// LAMB: inverse_correction = 1/(1 − β₁ᵗ), inverse_root_correction = 1/√(1 − β₂ᵗ).
typedef struct {
    float gradient_scale, beta1, one_minus_beta1, beta2, one_minus_beta2, inverse_correction, inverse_root_correction, epsilon, weight_decay;
} fanoise_lamb_constants;

/// Overwrites g with the direction; adds Σ p² and Σ direction² to squares.
void fanoise_lamb_direction(
    const float *p, float *g, float *m, float *v, long count, fanoise_lamb_constants constants, double *squares);

/// e += share · (p − e).
void fanoise_average(float *e, const float *p, float share, long count);

#pragma clang assume_nonnull end

#endif
