// The parameter gradient of Σ_o ȳ_o (D_a − D_u D_w) f_o for a network up to 64 wide, in one launch after `narrow_jet`: a
// workgroup takes blocks of samples, and adds their outer products to its own partial gradient, which `split_sum` adds up
// in a fixed order.

import constants::SAMPLES;
import package::shared::narrow::{jet, THREADS};
import package::shared::narrow_functional_pass::functional_of_block;

@compute @workgroup_size(THREADS)
fn narrow_functional(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let partial_start = (group.x * jet.models + group.z) * jet.parameters4;
    for (var block = group.x; block * SAMPLES < jet.rows; block += jet.splits) {
        functional_of_block(block, group.z, 0u, partial_start, block == group.x, local);
    }
}
