// The network's inputs of a batch of states, a feature of a row a thread: their tangents along the d unit velocities and
// along (q̇, 0), then their values, and their slopes.

import package::shared::angle::{sine_cosine, wrap};
import package::shared::dispatch::linear_group;
import package::shared::feature::{CONDITIONAL, COSINE, Feature, POSITION, SINE, VELOCITY, WRAPPED_ANGLE, is_of_position};

struct FeatureSettings {
    rows: u32,
    degrees_of_freedom: u32,
    // Length of a state, 2d + conditionals.
    state: u32,
    features: u32,
    // Features, filled up with zeros to a multiple of 4.
    stride: u32,
    // d + 1, or 0 for the values alone.
    tangents: u32,
}

@group(0) @binding(0) var<uniform> settings: FeatureSettings;
@group(0) @binding(1) var<storage, read> features: array<Feature>;
// (q, q̇, conditionals), [rows, 2d + c].
@group(0) @binding(2) var<storage, read> states: array<f32>;
// [tangents + 1, rows, stride].
@group(0) @binding(3) var<storage, read_write> inputs: array<f32>;
// [rows, stride].
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>;

@compute @workgroup_size(64)
fn seed_features(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let place = linear_group(group, groups) * 64u + local;
    let channel = settings.rows * settings.stride;
    if place >= channel {
        return;
    }
    let row = place / settings.stride;
    let k = place % settings.stride;
    let d = settings.degrees_of_freedom;
    var feature = Feature(CONDITIONAL, 0u, 0.0, 0.0);
    var value = 0.0;
    var slope = 0.0;
    var q_dot = 0.0;
    if k < settings.features {
        feature = features[k];
        let state = row * settings.state;
        slope = feature.slope;
        switch feature.kind {
            case POSITION: { value = (states[state + feature.index] - feature.centre) * slope; }
            case WRAPPED_ANGLE: { value = wrap(states[state + feature.index]) * slope; }
            case SINE: {
                let both = sine_cosine(states[state + feature.index]);
                value = both.sine;
                slope = both.cosine;
            }
            case COSINE: {
                let both = sine_cosine(states[state + feature.index]);
                value = both.cosine;
                slope = -both.sine;
            }
            case VELOCITY: { value = states[state + d + feature.index] * slope; }
            default: { value = (states[state + 2u * d + feature.index] - feature.centre) * slope; }
        }
        if is_of_position(feature.kind) {
            q_dot = states[state + d + feature.index];
        }
    }
    for (var direction = 0u; direction < settings.tangents; direction++) {
        var tangent = 0.0;
        if direction == d {
            tangent = slope * q_dot;
        } else if feature.kind == VELOCITY && direction == feature.index {
            tangent = slope;
        }
        inputs[direction * channel + place] = tangent;
    }
    inputs[settings.tangents * channel + place] = value;
    slopes[place] = slope;
}
