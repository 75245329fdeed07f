// The order of a basis' columns by falling diag(Qᵀ S Q), a factor a workgroup, models along z.

import package::shared::dispatch::linear_group;
import package::shared::soap_factor::{Factor, Factors};
import package::shared::step_state::StepState;

const THREADS = 256u;
const LARGEST = 2048u;

@group(0) @binding(0) var<uniform> launch: Factors;
@group(0) @binding(1) var<storage, read> states: array<StepState>;
@group(0) @binding(2) var<storage, read> factors: array<Factor>;
// Q and S Q.
@group(0) @binding(3) var<storage, read> bases: array<f32>;
@group(0) @binding(4) var<storage, read> products: array<f32>;
@group(0) @binding(5) var<storage, read_write> orders: array<u32>;

var<workgroup> estimates: array<f32, LARGEST>;

@compute @workgroup_size(THREADS)
fn soap_order(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = linear_group(group, groups);
    if number >= launch.count || states[group.z].apply == 0u {
        return;
    }
    let factor = factors[number];
    let n = factor.dimension;
    let start = group.z * launch.matrix_model + factor.matrix;
    for (var column = local; column < n; column += THREADS) {
        var estimate = 0.0;
        for (var row = 0u; row < n; row++) {
            let at = start + row * factor.stride + column;
            estimate += bases[at] * products[at];
        }
        estimates[column] = estimate;
    }
    workgroupBarrier();
    for (var column = local; column < n; column += THREADS) {
        // A column's place is the number of columns before it; of equal ones the first stays first.
        let own = estimates[column];
        var place = 0u;
        for (var other = 0u; other < n; other++) {
            let estimate = estimates[other];
            if estimate > own || (estimate == own && other < column) {
                place += 1u;
            }
        }
        orders[group.z * launch.order_model + factor.order + place] = column;
    }
}
