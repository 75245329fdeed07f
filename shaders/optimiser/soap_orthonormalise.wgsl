// Q of the Householder factorisation of S Q with its columns in falling order, a factor a workgroup, models along z.
//
// Column k of Q belongs to column k of the matrix, however dependent the columns are: those of a power iteration are
// all dominated by the leading eigenvectors, where Gram–Schmidt, even run twice, loses a column.
//
// Factors up to SIZE are worked on in workgroup memory; with IN_PLACE a factor of any size is, in the buffer of the bases.
// Four threads share a column, 64 columns are worked on at once.

@if(!IN_PLACE) import constants::SIZE;
import package::shared::dispatch::linear_group;
import package::shared::soap_factor::{Factor, Factors};
import package::shared::step_state::StepState;
import package::shared::workgroup_sum::{workgroup_sum, THREADS};

const COLUMNS = 64u;
const LANES = THREADS / COLUMNS;
const LARGEST = 2048u;

@group(0) @binding(0) var<uniform> launch: Factors;
@group(0) @binding(1) var<storage, read> states: array<StepState>;
@group(0) @binding(2) var<storage, read> factors: array<Factor>;
@group(0) @binding(3) var<storage, read> orders: array<u32>;
@group(0) @binding(4) var<storage, read> products: array<f32>;
@group(0) @binding(5) var<storage, read_write> bases: array<f32>;

@if(!IN_PLACE) var<workgroup> matrix: array<f32, SIZE * SIZE>;
// τ of each reflection 1 − τ v vᵀ, v with a leading 1.
@if(!IN_PLACE) var<workgroup> taus: array<f32, SIZE>;
@if(IN_PLACE) var<workgroup> taus: array<f32, LARGEST>;
// The reflection at hand.
@if(!IN_PLACE) var<workgroup> reflector: array<f32, SIZE>;
@if(IN_PLACE) var<workgroup> reflector: array<f32, LARGEST>;
var<workgroup> partial: array<f32, THREADS>;

fn entry(at: u32) -> f32 {
    @if(IN_PLACE) { return bases[at]; }
    @else { return matrix[at]; }
}

fn set_entry(at: u32, value: f32) {
    @if(IN_PLACE) { bases[at] = value; }
    @else { matrix[at] = value; }
}

fn barrier() {
    workgroupBarrier();
    @if(IN_PLACE) { storageBarrier(); }
}

// Applies the reflection with `tau` to rows `row` to n of the columns from `column` to n.
fn reflect(start: u32, pitch: u32, n: u32, row: u32, column: u32, tau: f32, local: u32) {
    let lane = local / COLUMNS;
    for (var left = column; left < n; left += COLUMNS) {
        let own = left + local % COLUMNS;
        var sum = 0.0;
        if own < n {
            for (var i = row + lane; i < n; i += LANES) {
                sum += reflector[i] * entry(start + i * pitch + own);
            }
        }
        partial[local] = sum;
        workgroupBarrier();
        if own < n {
            var dot = 0.0;
            for (var other = local % COLUMNS; other < THREADS; other += COLUMNS) {
                dot += partial[other];
            }
            for (var i = row + lane; i < n; i += LANES) {
                let at = start + i * pitch + own;
                set_entry(at, entry(at) - tau * dot * reflector[i]);
            }
        }
        barrier();
    }
}

@compute @workgroup_size(THREADS)
fn soap_orthonormalise(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let number = linear_group(group, groups);
    if number >= launch.count || states[group.z].apply == 0u {
        return;
    }
    let factor = factors[number];
    let n = factor.dimension;
    let buffer_start = group.z * launch.matrix_model + factor.matrix;
    @if(IN_PLACE) let start = buffer_start;
    @if(IN_PLACE) let pitch = factor.stride;
    @if(!IN_PLACE) let start = 0u;
    @if(!IN_PLACE) let pitch = n;

    // Columns in their order, each over its largest entry: neither changes Q, and no square leaves the range.
    for (var column = local; column < n; column += THREADS) {
        let old = buffer_start + orders[group.z * launch.order_model + factor.order + column];
        var largest = 0.0;
        for (var i = 0u; i < n; i++) {
            largest = max(largest, abs(products[old + i * factor.stride]));
        }
        let scale = select(1.0, largest, largest > 0.0);
        for (var i = 0u; i < n; i++) {
            set_entry(start + i * pitch + column, products[old + i * factor.stride] / scale);
        }
    }
    barrier();

    for (var k = 0u; k < n; k++) {
        var square = 0.0;
        for (var i = k + 1u + local; i < n; i += THREADS) {
            let value = entry(start + i * pitch + k);
            square += value * value;
        }
        let tail = workgroup_sum(local, vec4(square, 0.0, 0.0, 0.0)).x;
        let head = entry(start + k * pitch + k);
        var tau = 0.0;
        var over_head = 0.0;
        if tail > 0.0 {
            // Of the sign that makes head − diagonal free of cancellation.
            let norm = sqrt(head * head + tail);
            let diagonal = select(norm, -norm, head >= 0.0);
            tau = (diagonal - head) / diagonal;
            over_head = 1.0 / (head - diagonal);
        }
        for (var i = k + local; i < n; i += THREADS) {
            reflector[i] = select(entry(start + i * pitch + k) * over_head, 1.0, i == k);
        }
        if local == 0u {
            taus[k] = tau;
        }
        barrier();
        for (var i = k + 1u + local; i < n; i += THREADS) {
            set_entry(start + i * pitch + k, reflector[i]);
        }
        reflect(start, pitch, n, k, k + 1u, tau, local);
    }

    // The product of the reflections, from the last on, in place of them.
    barrier();
    for (var left = n; left > 0u; left--) {
        let k = left - 1u;
        let tau = taus[k];
        for (var i = k + local; i < n; i += THREADS) {
            reflector[i] = select(entry(start + i * pitch + k), 1.0, i == k);
        }
        barrier();
        for (var i = local; i < n; i += THREADS) {
            let own = select(-tau * reflector[max(i, k)], 1.0 - tau, i == k);
            set_entry(start + i * pitch + k, select(own, 0.0, i < k));
            // The row that the reflection brings in is that of the unit matrix.
            if i > k {
                set_entry(start + k * pitch + i, 0.0);
            }
        }
        barrier();
        reflect(start, pitch, n, k, k + 1u, tau, local);
    }
    @if(!IN_PLACE) {
        barrier();
        for (var at = local; at < n * n; at += THREADS) {
            bases[buffer_start + at / n * factor.stride + at % n] = matrix[at];
        }
    }
}
