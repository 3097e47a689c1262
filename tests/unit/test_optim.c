/* optim/: Adam against PyTorch's, the schedules and clipping against their formulas. */
#include "lae/optim/adam.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

enum { COUNT = 6, STEPS = 100 };

/* What PyTorch 1.13 computes (CPU):
 *
 *     p = torch.nn.Parameter(torch.tensor([0.5, -1.25, 0, 3, -0.001, 100]))
 *     o = torch.optim.Adam([p], lr=0.0028125, weight_decay=DECAY, foreach=False)
 *     for s in range(100):
 *         p.grad = torch.tensor([((i*7 + s*5) % 11 - 5) / 4 * 2.0 ** (-3*i) for i in range(6)])
 *         o.step()                      # theta after 1, 2, 10 and 100 steps: float(x).hex()
 *     o.state[p]["exp_avg"], o.state[p]["exp_avg_sq"]
 */
static const struct {
    double decay;
    struct {
        int steps;
        float theta[COUNT];
    } after[4];
    float m[COUNT], v[COUNT]; /* after all steps */
} torch[2] = {
    {0.0,
     {{1,
       {0x1.0170a4p-1f, -0x1.40b852p+0f, 0x1.70a3b4p-9f, 0x1.7fa3d8p+1f, -0x1.f3a6ccp-9f,
        0x1.9002e0p+6f}},
      {2,
       {0x1.0267a6p-1f, -0x1.4074d8p+0f, 0x1.1553a6p-9f, 0x1.7f74c0p+1f, -0x1.171594p-9f,
        0x1.90034ap+6f}},
      {10,
       {0x1.0143b8p-1f, -0x1.3ff5c2p+0f, 0x1.c1c8f8p-8f, 0x1.7eb7dep+1f, -0x1.f81de2p-9f,
        0x1.900940p+6f}},
      {100,
       {0x1.018f4ap-1f, -0x1.3ff486p+0f, 0x1.e58f2ap-8f, 0x1.7e90bap+1f, -0x1.024204p-8f,
        0x1.900a28p+6f}}},
     {-0x1.15b540p-3f, 0x1.0d21d4p-7f, 0x1.f8a9dcp-12f, 0x1.f100a4p-16f, -0x1.81e55cp-19f,
      0x1.1de262p-21f},
     {0x1.eea97cp-5f, 0x1.e457fcp-11f, 0x1.e4bae0p-17f, 0x1.eee742p-23f, 0x1.e2cedcp-29f,
      0x1.e6f3b0p-35f}},
    {0.04,
     {{1,
       {0x1.0170a4p-1f, -0x1.40b852p+0f, 0x1.70a3b4p-9f, 0x1.7fa3d8p+1f, -0x1.f3896cp-9f,
        0x1.8ffd1ep+6f}},
      {2,
       {0x1.026322p-1f, -0x1.40384cp+0f, 0x1.13c0f0p-9f, 0x1.7f47c0p+1f, -0x1.d9b428p-10f,
        0x1.8ffa3cp+6f}},
      {10,
       {0x1.00fc1ap-1f, -0x1.3d60a8p+0f, 0x1.b2ff6ap-8f, 0x1.7c679cp+1f, -0x1.62bd30p-12f,
        0x1.8fe32cp+6f}},
      {100,
       {0x1.fc192ep-2f, -0x1.216d4ap+0f, 0x1.9b89f0p-9f, 0x1.5c9b9ap+1f, -0x1.8d7180p-12f,
        0x1.8ee026p+6f}}},
     {-0x1.da0acep-4f, -0x1.32dd50p-5f, 0x1.450c60p-11f, 0x1.c2c614p-4f, -0x1.b696aap-18f,
      0x1.feb0dcp+1f},
     {0x1.ee9520p-5f, 0x1.295234p-10f, 0x1.e5ae5ap-17f, 0x1.470f4ap-10f, 0x1.1322bep-28f,
      0x1.84de48p+0f}},
};

static const float start[COUNT] = {0.5f, -1.25f, 0.0f, 3.0f, -0.001f, 100.0f};

static void set_gradient(int step, float gradient[COUNT])
{
    for (int i = 0; i < COUNT; i++)
        gradient[i] = ldexpf((float)((i * 7 + step * 5) % 11 - 5) / 4.0f, -3 * i);
}

/* PyTorch's vector code fuses some multiplications and additions, so the last bits differ: allowed
 * is 1e-6 of the value, and for a parameter 1e-6 of the longest way it can have gone. */
static void assert_near(const float *found, const float *wanted, double way)
{
    for (int i = 0; i < COUNT; i++) {
        double allowed = 1e-6 * (fabs((double)wanted[i]) + way);
        if (!(fabs((double)found[i] - (double)wanted[i]) <= allowed))
            fail_msg("entry %d: %a, not %a", i, (double)found[i], (double)wanted[i]);
    }
}

static void adam_follows_pytorch(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++) {
        struct lae_optim_options options = {.lr = 0.0028125, .weight_decay = torch[c].decay};
        struct lae_adam adam;
        float theta[COUNT], gradient[COUNT];
        size_t next = 0;
        memcpy(theta, start, sizeof theta);
        assert_null(lae_adam_create(&adam, COUNT));
        for (int s = 0; s < STEPS; s++) {
            set_gradient(s, gradient);
            lae_adam_step(&adam, &options, options.lr, theta, gradient);
            if (s + 1 != torch[c].after[next].steps) continue;
            assert_near(theta, torch[c].after[next].theta, options.lr * (s + 1));
            next++;
        }
        assert_int_equal(next, 4);
        assert_int_equal(adam.steps, STEPS);
        assert_near(adam.m, torch[c].m, 0.0);
        assert_near(adam.v, torch[c].v, 0.0);
        lae_adam_free(&adam);
    }
}

/* With one gradient g for ever m / (1 - b1^n) = g and v / (1 - b2^n) = g^2, so that each step is
 * lr * g / (|g| + eps): its length does not depend on g, and eps matters for tiny g only. */
static void constant_gradients_give_constant_steps(void **state)
{
    (void)state;
    const float gradient[COUNT] = {1.0f, -1.0f, 1000.0f, 1e-3f, 1e-8f, 0.0f};
    const double direction[COUNT] = {1.0, -1.0, 1.0, 1.0, 0.5, 0.0};
    struct lae_optim_options options = {.lr = 0.125};
    struct lae_adam adam;
    float theta[COUNT] = {0};
    assert_null(lae_adam_create(&adam, COUNT));
    for (int s = 1; s <= 8; s++) {
        lae_adam_step(&adam, &options, options.lr, theta, gradient);
        for (int i = 0; i < COUNT; i++)
            assert_true(fabs((double)theta[i] + 0.125 * s * direction[i]) < 2e-5 * s);
    }
    lae_adam_free(&adam);
}

/* A vector's body and its tail, and a reset, must not change a bit. */
static void entries_do_not_depend_on_their_place(void **state)
{
    (void)state;
    enum { LONGEST = 37 };
    struct lae_optim_options options = {.lr = 0.01, .weight_decay = 0.1};
    float wanted = 0.0f;
    for (size_t count = 1; count <= LONGEST; count++) {
        struct lae_adam adam;
        assert_null(lae_adam_create(&adam, count));
        for (int again = 0; again < 2; again++) {
            float theta[LONGEST], gradient[LONGEST];
            for (size_t i = 0; i < count; i++)
                theta[i] = 0.3f;
            for (int s = 0; s < 5; s++) {
                for (size_t i = 0; i < count; i++)
                    gradient[i] = 0.7f / (float)(s + 1) - 0.2f;
                lae_adam_step(&adam, &options, options.lr, theta, gradient);
            }
            if (wanted == 0.0f) wanted = theta[0];
            for (size_t i = 0; i < count; i++)
                assert_memory_equal(&theta[i], &wanted, sizeof wanted);
            lae_adam_reset(&adam, adam.count);
            assert_int_equal(adam.steps, 0);
        }
        lae_adam_free(&adam);
        assert_null(adam.m);
    }
}

static void empty_and_impossible_sizes(void **state)
{
    (void)state;
    struct lae_optim_options options = {.lr = 1.0};
    struct lae_adam adam;
    assert_null(lae_adam_create(&adam, 0));
    lae_adam_step(&adam, &options, 1.0, NULL, NULL);
    lae_adam_reset(&adam, adam.count);
    lae_adam_free(&adam);
    lae_adam_free(&adam);
    lae_status status = lae_adam_create(&adam, SIZE_MAX / 2);
    assert_int_equal(lae_status_code(status), LAE_FAILED);
    lae_status_free(status);
    assert_null(adam.m);
}

static void schedules_are_their_formulas(void **state)
{
    (void)state;
    struct lae_optim_options options = {.lr = 0.5, .schedule = LAE_SCHEDULE_CONSTANT};
    assert_true(lae_schedule_lr(&options, 0, 10) == 0.5);
    assert_true(lae_schedule_lr(&options, 9, 10) == 0.5);
    options.schedule = LAE_SCHEDULE_LINEAR;
    assert_true(lae_schedule_lr(&options, 0, 8) == 0.5);
    assert_true(lae_schedule_lr(&options, 2, 8) == 0.375);
    assert_true(lae_schedule_lr(&options, 7, 8) == 0.0625);
    options.schedule = LAE_SCHEDULE_COSINE;
    assert_true(lae_schedule_lr(&options, 0, 8) == 0.5);
    assert_true(fabs(lae_schedule_lr(&options, 4, 8) - 0.25) < 1e-15);
    assert_true(fabs(lae_schedule_lr(&options, 2, 6) - 0.375) < 1e-15); /* cos(pi/3) = 1/2 */
    assert_true(lae_schedule_lr(&options, 7, 8) > 0.0);
    assert_true(lae_schedule_lr(&options, 0, 0) == 0.5);
}

/* torch.nn.utils.clip_grad_norm_([3, -4, 12, 0.5], 1) gives these in PyTorch 1.13. */
static void clipping_follows_pytorch(void **state)
{
    (void)state;
    const float torch_clipped[4] = {0x1.d84424p-3f, -0x1.3ad818p-2f, 0x1.d84424p-1f,
                                    0x1.3ad818p-5f};
    float gradient[4] = {3.0f, -4.0f, 12.0f, 0.5f};
    double norm = lae_clip_gradient(gradient, 4, 1.0);
    assert_true(fabs(norm - 13.009611831257688) < 1e-12); /* sqrt(169.25) */
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(gradient[i] - torch_clipped[i]) <= 2e-7f * fabsf(torch_clipped[i]));
    assert_true(lae_clip_gradient(gradient, 4, 0.0) <= 1.0);
}

static void small_and_strange_gradients_are_not_clipped(void **state)
{
    (void)state;
    const float gradient[3] = {3.0f, 0.0f, -4.0f};
    float copy[3];
    memcpy(copy, gradient, sizeof copy);
    assert_true(lae_clip_gradient(copy, 3, 0.0) == 5.0); /* off: measures only */
    assert_true(lae_clip_gradient(copy, 3, 6.0) == 5.0);
    assert_memory_equal(copy, gradient, sizeof copy);
    assert_true(lae_clip_gradient(copy, 3, 5.0) == 5.0); /* 5 / (5 + 1e-6): a little less than 1 */
    assert_true(copy[0] < 3.0f && copy[0] > 2.99999f);
    assert_true(lae_clip_gradient(copy, 0, 1.0) == 0.0);
    float zero[2] = {0.0f, 0.0f};
    assert_true(lae_clip_gradient(zero, 2, 1.0) == 0.0);
    assert_true(zero[0] == 0.0f);
    float huge[2] = {3e38f, 3e38f}; /* the squares would overflow a float */
    assert_true(isfinite(lae_clip_gradient(huge, 2, 1.0)));
    assert_true(fabsf(huge[0] - 0.70710678f) < 1e-6f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_follows_pytorch),
        cmocka_unit_test(constant_gradients_give_constant_steps),
        cmocka_unit_test(entries_do_not_depend_on_their_place),
        cmocka_unit_test(empty_and_impossible_sizes),
        cmocka_unit_test(schedules_are_their_formulas),
        cmocka_unit_test(clipping_follows_pytorch),
        cmocka_unit_test(small_and_strange_gradients_are_not_clipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
