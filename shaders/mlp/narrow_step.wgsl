// From a batch's states to its losses and its gradient, for a Lagrangian's network up to 64 wide, in one launch: a workgroup
// takes blocks of samples through the jet, the equation of motion and the loss, and the functional, and adds their outer
// products to its own partial gradient, which `split_sum` adds up in a fixed order.

import constants::SAMPLES;
import package::shared::differentiate::differentiate_row;
import package::shared::narrow::{jet, shared_tile, THREADS};
import package::shared::narrow_functional_pass::functional_of_block;
import package::shared::narrow_jet_pass::jet_of_block;

@compute @workgroup_size(THREADS)
fn narrow_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let partial_start = (group.x * jet.models + group.z) * jet.parameters4;
    for (var block = group.x; block * SAMPLES < jet.rows; block += jet.splits) {
        jet_of_block(block, group.z, local);
        // A row's derivatives are written by sixteen threads, and read by one; its directions the other way round. The rows are
        // those of the first threads, so that they share as few subgroups as there is room for.
        storageBarrier();
        workgroupBarrier();
        if local < SAMPLES {
            let sample = block * SAMPLES + local;
            var terms = 0.0;
            if sample < jet.rows && differentiate_row(group.z * jet.rows + sample) {
                terms = 1.0;
            }
            shared_tile[local] = vec4(terms);
        }
        storageBarrier();
        workgroupBarrier();
        if local == 0u {
            for (var other = 1u; other < SAMPLES; other++) {
                shared_tile[0] += shared_tile[other];
            }
        }
        // Constant-rank terms are two sweeps more, of the blocks that have a sample with such.
        let deficient = workgroupUniformLoad(&shared_tile[0]).x;
        let sweeps = select(1u, 3u, deficient > 0.0);
        for (var sweep = 0u; sweep < sweeps; sweep++) {
            functional_of_block(block, group.z, sweep, partial_start, block == group.x && sweep == 0u, local);
        }
    }
}
