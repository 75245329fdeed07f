//! The kernels that measure an adapter's ceilings compute what they are counted for.

use bytemuck::{Pod, Zeroable};
use lnn_gpu::kernels;

use crate::close::close;
use crate::ground::Case;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Numbers {
    factor: f32,
    term: f32,
    rounds: u32,
    threads: u32,
}

const THREADS: usize = 300;
const ROUNDS: u32 = 3;

fn multiplied_and_added(factor: f32) -> Vec<f32> {
    let numbers = Numbers { factor, term: 0.25, rounds: ROUNDS, threads: THREADS as u32 };
    let mut outputs = Case::new(kernels::MULTIPLY_ADD.only()).constants(&numbers).write(4 * THREADS).run([2, 1, 1]);
    outputs.remove(0)
}

/// Sum over the eight vectors, for each thread and lane, and the sum of the magnitudes.
fn reference(factor: f64) -> (Vec<f64>, Vec<f64>) {
    let of_lane = |at: usize| {
        let (thread, lane) = (at / 4, at % 4);
        let numbers = (0..8).map(|vector| {
            let start = (lane + 4 * vector + thread % 64) as f64;
            (0..4 * ROUNDS).fold(start, |x, _| factor * x + 0.25)
        });
        numbers.fold((0.0, 0.0), |(sum, size), x: f64| (sum + x, size + x.abs()))
    };
    (0..4 * THREADS).map(of_lane).unzip()
}

/// A product and a sum in each of the passes through the loop, and a tree of three sums: each good to ε/2 of what it holds,
/// all of which is positive and, with a factor above 1, below the result.
const ROUNDINGS: f64 = (2 * 4 * ROUNDS + 3) as f64 / 2.0;

#[test]
fn every_multiplication_and_addition_is_made() {
    let (want, size) = reference(1.125);
    close(&multiplied_and_added(1.125), &want, &size, ROUNDINGS).unwrap();
}

#[test]
fn another_factor_is_seen() {
    let (want, size) = reference(1.125);
    close(&multiplied_and_added(1.126), &want, &size, ROUNDINGS).expect_err("other sums");
}

#[test]
fn a_copy_has_every_number_and_no_other() {
    let numbers: Vec<f32> = (0..4 * THREADS).map(|i| i as f32 - 7.5).collect();
    let copying = Case::new(kernels::COPY_NUMBERS.only()).constants(&(THREADS as u32));
    let copied = copying.read(&numbers).write(numbers.len()).run([2, 1, 1]);
    assert_eq!(copied, [numbers]);
}
