// From a batch's states to its losses and its gradient, for a Lagrangian's network up to 64 wide, in one launch: a workgroup
// takes blocks of samples through the jet, the equation of motion and the loss, and the functional, and adds their outer
// products to its own partial gradient, which `split_sum` adds up in a fixed order.

import constants::SAMPLES;
import package::shared::differentiate::differentiate_row;
import package::shared::narrow::{jet, COLUMNS4, THREADS};
import package::shared::narrow_functional_pass::functional_of_block;
import package::shared::narrow_jet_pass::jet_of_block;

// Whether a sample of the block has constant-rank terms.
var<workgroup> found: atomic<u32>;
var<workgroup> sweeps: u32;

@compute @workgroup_size(THREADS)
fn narrow_step(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let partial_start = (group.x * jet.models + group.z) * jet.parameters4;
    for (var block = group.x; block * SAMPLES < jet.rows; block += jet.splits) {
        if local == 0u {
            atomicStore(&found, 0u);
        }
        jet_of_block(block, group.z, local);
        // A row's derivatives are written by sixteen threads, and read by one of them; its directions the other way round.
        storageBarrier();
        workgroupBarrier();
        let sample = block * SAMPLES + local / COLUMNS4;
        if local % COLUMNS4 == 0u && sample < jet.rows {
            if differentiate_row(group.z * jet.rows + sample) {
                atomicStore(&found, 1u);
            }
        }
        storageBarrier();
        workgroupBarrier();
        if local == 0u {
            sweeps = select(1u, 3u, atomicLoad(&found) != 0u);
        }
        let count = workgroupUniformLoad(&sweeps);
        for (var sweep = 0u; sweep < count; sweep++) {
            functional_of_block(block, group.z, sweep, partial_start, block == group.x && sweep == 0u, local);
        }
    }
}
