// Q of the Householder factorisation of S Q with its columns in falling order, a factor a workgroup, models along z.
//
// Column k of Q belongs to column k of the matrix, however dependent the columns are: those of a power iteration are
// all dominated by the leading eigenvectors, where Gram–Schmidt, even run twice, loses a column.
//
// The matrix is in the buffer of the bases. As many reflections 1 − τ v vᵀ as fit, up to WIDEST, are made in workgroup
// memory and then applied at once, as 1 − V T Vᵀ with a triangular T (Schreiber and Van Loan 1989), a column a thread.
// τ = 2 / vᵀv in any case, so that T follows from Vᵀ V and V is all that is kept.

import constants::PANEL;
import package::shared::dispatch::linear_group;
import package::shared::soap_factor::{Factor, Factors};
import package::shared::step_state::StepState;

const THREADS = 256u;
// Reflections at once; a matrix of WIDEST × WIDEST has an entry a thread.
const WIDEST = 16u;

@group(0) @binding(0) var<uniform> launch: Factors;
@group(0) @binding(1) var<storage, read> states: array<StepState>;
@group(0) @binding(2) var<storage, read> factors: array<Factor>;
@group(0) @binding(3) var<storage, read> orders: array<u32>;
@group(0) @binding(4) var<storage, read> products: array<f32>;
@group(0) @binding(5) var<storage, read_write> bases: array<f32>;

// V, [row][reflection]: PANEL numbers, in rows of 16, 8, 4, 2 or 1.
var<workgroup> panel: array<f32, PANEL>;
var<workgroup> partial: array<f32, THREADS>;
// Vᵀ V, [WIDEST][WIDEST].
var<workgroup> gram: array<f32, THREADS>;
var<workgroup> triangle: array<f32, THREADS>;

// A workgroup's matrix: its place, from one row to the next, and its size.
struct Matrix {
    start: u32,
    pitch: u32,
    n: u32,
    // Reflections at once, a power of two.
    width: u32,
}

fn width_of(n: u32) -> u32 {
    var width = WIDEST;
    while width > 1u && width * n > PANEL {
        width /= 2u;
    }
    return width;
}

fn sum_over_threads(local: u32, value: f32) -> f32 {
    workgroupBarrier();
    partial[local] = value;
    for (var half = THREADS / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if local < half {
            partial[local] += partial[local + half];
        }
    }
    workgroupBarrier();
    return partial[0];
}

// Columns `first` on, up to `count` of them, from the rows `first` on, into the panel; zero beyond.
fn load_panel(matrix: Matrix, first: u32, count: u32, local: u32) {
    for (var at = local; at < (matrix.n - first) * matrix.width; at += THREADS) {
        let row = first + at / matrix.width;
        let column = at % matrix.width;
        var number = 0.0;
        if column < count {
            number = bases[matrix.start + row * matrix.pitch + first + column];
        }
        panel[row * matrix.width + column] = number;
    }
    workgroupBarrier();
}

// Makes the panel's columns into reflections that take what is below the diagonal to zero.
fn reflect_panel(matrix: Matrix, first: u32, count: u32, local: u32) {
    let n = matrix.n;
    let width = matrix.width;
    for (var j = 0u; j < count; j++) {
        let diagonal_row = first + j;
        var square = 0.0;
        for (var row = diagonal_row + 1u + local; row < n; row += THREADS) {
            let number = panel[row * width + j];
            square += number * number;
        }
        let tail = sum_over_threads(local, square);
        let head = panel[diagonal_row * width + j];
        workgroupBarrier();
        var tau = 2.0;
        var over_head = 0.0;
        if tail > 0.0 {
            // Of the sign that makes head − diagonal free of cancellation.
            let norm = sqrt(head * head + tail);
            let diagonal = select(norm, -norm, head >= 0.0);
            tau = (diagonal - head) / diagonal;
            over_head = 1.0 / (head - diagonal);
        }
        for (var row = first + local; row < n; row += THREADS) {
            let at = row * width + j;
            panel[at] = select(select(0.0, panel[at] * over_head, row > diagonal_row), 1.0, row == diagonal_row);
        }
        workgroupBarrier();
        // 16 threads a column of the rest of the panel.
        let column = j + 1u + local % WIDEST;
        let lane = local / WIDEST;
        var sum = 0.0;
        if column < count {
            for (var row = diagonal_row + lane; row < n; row += THREADS / WIDEST) {
                sum += panel[row * width + j] * panel[row * width + column];
            }
        }
        partial[local] = sum;
        workgroupBarrier();
        if column < count {
            var dot = 0.0;
            for (var other = local % WIDEST; other < THREADS; other += WIDEST) {
                dot += partial[other];
            }
            for (var row = diagonal_row + lane; row < n; row += THREADS / WIDEST) {
                panel[row * width + column] -= tau * dot * panel[row * width + j];
            }
        }
        workgroupBarrier();
    }
}

// T of the panel's reflections: τ on its diagonal, T[0..j, j] = −τ_j T[0..j, 0..j] (Vᵀ v_j)[0..j].
fn make_triangle(matrix: Matrix, first: u32, count: u32, local: u32) {
    let i = local / WIDEST;
    let j = local % WIDEST;
    var dot = 0.0;
    if i <= j && j < count {
        // Above its diagonal row a reflection is zero.
        for (var row = first + j; row < matrix.n; row++) {
            dot += panel[row * matrix.width + i] * panel[row * matrix.width + j];
        }
    }
    gram[local] = dot;
    triangle[local] = 0.0;
    workgroupBarrier();
    for (var k = 0u; k < count; k++) {
        let tau = 2.0 / gram[k * WIDEST + k];
        if local < k {
            var sum = 0.0;
            for (var b = local; b < k; b++) {
                sum += triangle[local * WIDEST + b] * gram[b * WIDEST + k];
            }
            triangle[local * WIDEST + k] = -tau * sum;
        }
        if local == k {
            triangle[k * WIDEST + k] = tau;
        }
        workgroupBarrier();
    }
}

// Applies 1 − V T Vᵀ, or with `transposed` 1 − V Tᵀ Vᵀ, to the columns from `column` on, a column a thread.
fn apply_panel(matrix: Matrix, first: u32, column: u32, transposed: bool, local: u32) {
    let width = matrix.width;
    for (var own = column + local; own < matrix.n; own += THREADS) {
        var dots: array<f32, WIDEST>;
        for (var j = 0u; j < WIDEST; j++) {
            dots[j] = 0.0;
        }
        for (var row = first; row < matrix.n; row++) {
            let number = bases[matrix.start + row * matrix.pitch + own];
            for (var j = 0u; j < WIDEST; j++) {
                if j < width {
                    dots[j] += panel[row * width + j] * number;
                }
            }
        }
        var turned: array<f32, WIDEST>;
        for (var i = 0u; i < WIDEST; i++) {
            var sum = 0.0;
            for (var j = 0u; j < WIDEST; j++) {
                sum += triangle[select(i * WIDEST + j, j * WIDEST + i, transposed)] * dots[j];
            }
            turned[i] = sum;
        }
        for (var row = first; row < matrix.n; row++) {
            var change = 0.0;
            for (var j = 0u; j < WIDEST; j++) {
                if j < width {
                    change += panel[row * width + j] * turned[j];
                }
            }
            bases[matrix.start + row * matrix.pitch + own] -= change;
        }
    }
    workgroupBarrier();
    storageBarrier();
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
    let matrix = Matrix(group.z * launch.matrix_model + factor.matrix, factor.stride, n, width_of(n));

    // Columns in their order, each over its largest entry: neither changes Q, and no square leaves the range.
    for (var column = local; column < n; column += THREADS) {
        let old = matrix.start + orders[group.z * launch.order_model + factor.order + column];
        var largest = 0.0;
        for (var row = 0u; row < n; row++) {
            largest = max(largest, abs(products[old + row * matrix.pitch]));
        }
        let scale = select(1.0, largest, largest > 0.0);
        for (var row = 0u; row < n; row++) {
            bases[matrix.start + row * matrix.pitch + column] = products[old + row * matrix.pitch] / scale;
        }
    }
    workgroupBarrier();
    storageBarrier();

    for (var first = 0u; first < n; first += matrix.width) {
        let count = min(matrix.width, n - first);
        load_panel(matrix, first, count, local);
        reflect_panel(matrix, first, count, local);
        for (var at = local; at < (n - first) * count; at += THREADS) {
            let row = first + at / count;
            let column = at % count;
            bases[matrix.start + row * matrix.pitch + first + column] = panel[row * matrix.width + column];
        }
        make_triangle(matrix, first, count, local);
        apply_panel(matrix, first, first + count, true, local);
    }

    // The product of the reflections, from the last on, in place of them.
    for (var left = (n + matrix.width - 1u) / matrix.width; left > 0u; left--) {
        let first = (left - 1u) * matrix.width;
        let count = min(matrix.width, n - first);
        load_panel(matrix, first, count, local);
        make_triangle(matrix, first, count, local);
        // What the reflections bring in is the unit matrix.
        for (var at = local; at < count * (n - first); at += THREADS) {
            let row = first + at / (n - first);
            let column = first + at % (n - first);
            bases[matrix.start + row * matrix.pitch + column] = select(0.0, 1.0, row == column);
        }
        for (var at = local; at < n * count; at += THREADS) {
            let row = at / count;
            let column = first + at % count;
            if row < first || row >= first + count {
                bases[matrix.start + row * matrix.pitch + column] = 0.0;
            }
        }
        workgroupBarrier();
        storageBarrier();
        apply_panel(matrix, first, first, false, local);
    }
}
