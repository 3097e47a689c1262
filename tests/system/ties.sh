#!/bin/sh
# TIES on a run's own stored vectors, recomputed by another implementation: equal to the bit.
. "$(dirname "$0")/common.sh"
need mpirun

for density in 0.2 0.5 1; do
    train 3 ties$density pet.attn.type=conv_adapter pet.mlp.type=adapter merge.method=ties \
        merge.density=$density || { cat "$work/ties$density.err"; fail "training"; }
    "$LAE_CHECK_TIES" "$runs/ties$density" 3 $density || fail "density $density"
done
"$LAE_CHECK_TIES" "$runs/ties0.2" 3 0.21 >/dev/null && fail "the check cannot fail"
exit 0
