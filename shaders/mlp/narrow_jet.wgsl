// Value, tangents, reverse sweep and second derivatives of a network up to 64 wide, in one launch: a block of samples a
// workgroup.

import constants::SAMPLES;
import package::shared::dispatch::linear_group;
import package::shared::narrow::{jet, THREADS};
import package::shared::narrow_jet_pass::jet_of_block;

@compute @workgroup_size(THREADS)
fn narrow_jet(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let block = linear_group(group, groups);
    if block * SAMPLES >= jet.rows {
        return;
    }
    jet_of_block(block, group.z, local);
}
