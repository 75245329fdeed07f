// The loss of the accelerations s·net(x) of a plain network, and its cotangent ȳ of the network's outputs, divided by the
// batch; a sample a thread.

import package::shared::dispatch::linear_group;
import package::shared::float::{is_finite, not_a_number};
import package::shared::loss::loss_component;

struct PlainLossSettings {
    rows: u32,
    // Components of a sample, and from one row of outputs to the next.
    components: u32,
    stride: u32,
    scale: f32,
    per_batch: f32,
    // s.
    output_scale: f32,
    // 1 / units of the components, by four.
    per_unit: array<vec4<f32>, 2>,
}

@group(0) @binding(0) var<uniform> settings: PlainLossSettings;
// [rows, stride].
@group(0) @binding(1) var<storage, read> output: array<f32>;
// [rows, components].
@group(0) @binding(2) var<storage, read> target_rates: array<f32>;
// [rows, stride], with zeros as padding.
@group(0) @binding(3) var<storage, read_write> output_bar: array<f32>;
// [rows]; NaN where a component is not finite.
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
// [rows].
@if(WEIGHTED)
@group(0) @binding(5) var<storage, read> weights: array<f32>;

@compute @workgroup_size(64)
fn plain_loss(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if row >= settings.rows {
        return;
    }
    var weight = 1.0;
    @if(WEIGHTED) {
        weight = weights[row];
    }
    var total = 0.0;
    var not_finite = 0u;
    for (var i = 0u; i < settings.stride; i++) {
        let place = row * settings.stride + i;
        if i >= settings.components {
            output_bar[place] = 0.0;
            continue;
        }
        let per_unit = settings.per_unit[i / 4u][i % 4u];
        let wanted = target_rates[row * settings.components + i] * per_unit;
        let error = settings.output_scale * output[place] * per_unit - wanted;
        if is_finite(error) {
            let both = loss_component(settings.scale, error, wanted);
            total += both.x;
            output_bar[place] = settings.per_batch * both.y * weight * per_unit * settings.output_scale;
        } else {
            not_finite++;
            output_bar[place] = not_a_number(i);
        }
    }
    losses[row] = weight * total;
    if not_finite > 0u {
        losses[row] = not_a_number(not_finite);
    }
}
