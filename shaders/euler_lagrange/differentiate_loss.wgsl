// From the network's derivatives through q̈ = U (U H U)⁺ U r and the loss to the directions of the functional whose
// parameter gradient is that of the loss, a row a thread.

import package::shared::differentiate::{differentiate_row, settings};
import package::shared::dispatch::linear_group;

@compute @workgroup_size(64)
fn differentiate_loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row < settings.rows {
        _ = differentiate_row(row);
    }
}
