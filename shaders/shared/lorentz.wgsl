// What velocities near that of light need.

// 1 − v² as a product, which keeps the digits that the square loses.
fn one_minus_square(v: f32) -> f32 {
    return (1.0 - v) * (1.0 + v);
}
