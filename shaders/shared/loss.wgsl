// Losses of one component.

import package::shared::float::copy_sign;

// Which one. Folded when the pipeline is made, and with it all other branches.
override LOSS: u32;

const L1 = 0u;
const L2 = 1u;
const HUBER = 2u;
const RELATIVE_PSEUDO_HUBER = 3u;

// Value and slope at an error, of a component with the target `wanted`. `scale` is δ of Huber's loss, or the smoothing of
// the pseudo-Huber loss per unit of 1 + |target|.
fn loss_component(scale: f32, error: f32, wanted: f32) -> vec2<f32> {
    let size = abs(error);
    switch LOSS {
        case L1: {
            // The subgradient that leaves an exact prediction alone.
            return vec2<f32>(size, select(copy_sign(1.0, error), 0.0, error == 0.0));
        }
        case L2: {
            return vec2<f32>(error * error, error + error);
        }
        case HUBER: {
            if size <= scale {
                return vec2<f32>(0.5 * error * error, error);
            }
            return vec2<f32>(scale * (size - 0.5 * scale), copy_sign(scale, error));
        }
        default: {
            // As the twin: neither e² overflows, nor root − smoothing cancels.
            let smoothing = scale * (1.0 + abs(wanted));
            let larger = max(size, smoothing);
            let ratio = min(size, smoothing) / larger;
            let root = larger * sqrt(1.0 + ratio * ratio);
            return vec2<f32>(error * (error / (root + smoothing)), error / root);
        }
    }
}
