// One network input as a function of the state (q, q̇, conditionals).

const POSITION = 0u;
const WRAPPED_ANGLE = 1u;
const SINE = 2u;
const COSINE = 3u;
const VELOCITY = 4u;
const CONDITIONAL = 5u;

struct Feature {
    kind: u32,
    // Coordinate or conditional.
    index: u32,
    // What is taken off first, and by what the rest is multiplied.
    centre: f32,
    slope: f32,
}

// Whether it depends on a coordinate.
fn is_of_position(kind: u32) -> bool {
    return kind < VELOCITY;
}
