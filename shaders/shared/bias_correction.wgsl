// The weight that k equal steps of an average have had.

// 1 − aᵏ = 1 − exp(−k decay) for decay = −ln a, without cancellation for a small k.
fn complement_of_power(decay: f32, k: f32) -> f32 {
    let x = decay * k;
    if x < 0.5 {
        // Taylor's series of 1 − e⁻ˣ; the first term left out is less than 2e-9 of the sum.
        var series = 1.0 - x / 9.0;
        for (var n = 8.0; n > 1.5; n -= 1.0) {
            series = 1.0 - x / n * series;
        }
        return x * series;
    }
    return 1.0 - exp(-min(x, 80.0));
}
