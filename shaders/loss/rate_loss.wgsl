// The loss of each sample's accelerations, or of any rates, and its cotangent λ divided by the batch; a sample a thread.

import package::shared::dispatch::linear_group;
import package::shared::float::{copy_sign, is_finite, not_a_number};

const L1 = 0u;
const L2 = 1u;
const HUBER = 2u;
const RELATIVE_PSEUDO_HUBER = 3u;

struct LossSettings {
    rows: u32,
    // Components of a sample.
    components: u32,
    kind: u32,
    // δ of Huber's loss, or the smoothing of the pseudo-Huber loss per unit of 1 + |target|.
    scale: f32,
    per_batch: f32,
    // 1 / units of the components, by four.
    per_unit: array<vec4<f32>, 2>,
}

@group(0) @binding(0) var<uniform> settings: LossSettings;
// [rows, components].
@group(0) @binding(1) var<storage, read> prediction: array<f32>;
@group(0) @binding(2) var<storage, read> target_rates: array<f32>;
@group(0) @binding(3) var<storage, read_write> cotangent: array<f32>;
// [rows]; NaN where a component is not finite.
@group(0) @binding(4) var<storage, read_write> losses: array<f32>;
// To which the components whose error is not finite are added.
@group(0) @binding(5) var<storage, read_write> tally: array<atomic<u32>, 1>;
// [rows].
@if(WEIGHTED)
@group(0) @binding(6) var<storage, read> weights: array<f32>;

// Value and slope of one component.
fn component(error: f32, wanted: f32) -> vec2<f32> {
    let size = abs(error);
    switch settings.kind {
        case L1: {
            // The subgradient that leaves an exact prediction alone.
            return vec2<f32>(size, select(copy_sign(1.0, error), 0.0, error == 0.0));
        }
        case L2: {
            return vec2<f32>(error * error, error + error);
        }
        case HUBER: {
            let delta = settings.scale;
            if size <= delta {
                return vec2<f32>(0.5 * error * error, error);
            }
            return vec2<f32>(delta * (size - 0.5 * delta), copy_sign(delta, error));
        }
        default: {
            // As the twin: neither e² overflows, nor root − smoothing cancels.
            let smoothing = settings.scale * (1.0 + abs(wanted));
            let larger = max(size, smoothing);
            let ratio = min(size, smoothing) / larger;
            let root = larger * sqrt(1.0 + ratio * ratio);
            return vec2<f32>(error * (error / (root + smoothing)), error / root);
        }
    }
}

@compute @workgroup_size(64)
fn rate_loss(
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
    for (var i = 0u; i < settings.components; i++) {
        let place = row * settings.components + i;
        let per_unit = settings.per_unit[i / 4u][i % 4u];
        let wanted = target_rates[place] * per_unit;
        let error = prediction[place] * per_unit - wanted;
        if is_finite(error) {
            let both = component(error, wanted);
            total += both.x;
            cotangent[place] = settings.per_batch * both.y * weight * per_unit;
        } else {
            not_finite++;
            cotangent[place] = not_a_number(i);
        }
    }
    losses[row] = weight * total;
    if not_finite > 0u {
        losses[row] = not_a_number(not_finite);
        atomicAdd(&tally[0], not_finite);
    }
}
