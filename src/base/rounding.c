#include "lae/base/rounding.h"

#include <fenv.h>

void lae_rounding_reset(void)
{
    fesetenv(FE_DFL_ENV);
}
