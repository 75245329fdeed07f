// Random states as a function of seed, domain, stream and position, eight numbers a thread: one block of the generator.
//
// Number n of a stream takes the words 2n and 2n + 1 as an integer u of 64 bits, low word first; unit = (u >> 11) · 2⁻⁵³.
// Component j of state i, of `width` components, is number i · width + j, mapped by its distribution. A uniform component
// has the bits of the processor's number in double precision, rounded to single.

import package::shared::binary64::{add, from_bits, multiply, normalised, single_bits};
import package::shared::chacha::chacha8_block;
import package::shared::dispatch::linear_group;
import package::shared::normal::{hyperbolic_tangent, standard_normal};
import package::shared::wide::{add_wide, shift_right_wide};

const UNIFORM = 0u;
const NORMAL = 1u;
const BOUNDED_NORMAL = 2u;

// Pairs of words are the low and high word of an integer or of a number in double precision.
struct Distribution {
    low: vec2<u32>,
    // high − low.
    span: vec2<u32>,
    // The largest number below high, in single precision.
    largest: u32,
    kind: u32,
    // mean and deviation, or bound and spread.
    location: f32,
    scale: f32,
}

struct Draw {
    domain: vec2<u32>,
    stream: vec2<u32>,
    // Block in which the first number is, and its place there.
    first_block: vec2<u32>,
    first_place: u32,
    // Numbers of a model, and components of a state.
    count: u32,
    width: u32,
    models: u32,
    // Where the distributions begin in their table, and where the first model's numbers go, and the next one's.
    first_distribution: u32,
    first_out: u32,
    model_stride: u32,
}

@group(0) @binding(0) var<uniform> draw: Draw;
// Of the models, [models].
@group(0) @binding(1) var<storage, read> seeds: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> distributions: array<Distribution>;
// The bits of the states, since a device may take small numbers for zero when it handles them as such.
@group(0) @binding(3) var<storage, read_write> states: array<u32>;

fn at_unit(distribution: Distribution, unit: vec2<u32>) -> u32 {
    if distribution.kind == UNIFORM {
        let product = multiply(from_bits(distribution.span), normalised(unit, -53, false));
        let value = single_bits(add(from_bits(distribution.low), product));
        return select(distribution.largest, value, in_order(value) <= in_order(distribution.largest));
    }
    let n = standard_normal(unit);
    if distribution.kind == NORMAL {
        return bitcast<u32>(distribution.location + distribution.scale * n);
    }
    return bitcast<u32>(distribution.location * hyperbolic_tangent(distribution.scale * n));
}

// Integers in the order of the numbers whose bits are given.
fn in_order(bits: u32) -> u32 {
    return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

@compute @workgroup_size(64)
fn sample_states(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let thread = linear_group(group, groups) * 64u + local;
    let blocks = (draw.first_place + draw.count + 7u) / 8u;
    let model = thread / blocks;
    if model >= draw.models {
        return;
    }
    let block = thread % blocks;
    let position = add_wide(draw.first_block, vec2<u32>(block, 0u));
    var words = chacha8_block(seeds[model], draw.domain, position, draw.stream);
    for (var i = 0u; i < 8u; i++) {
        let place = block * 8u + i;
        if place >= draw.first_place && place < draw.first_place + draw.count {
            let number = place - draw.first_place;
            let unit = shift_right_wide(vec2<u32>(words[2u * i], words[2u * i + 1u]), 11u);
            let distribution = distributions[draw.first_distribution + number % draw.width];
            states[draw.first_out + model * draw.model_stride + number] = at_unit(distribution, unit);
        }
    }
}
