//! The sum in a fixed order.

use lnn_gpu::kernels;

use crate::close::close;
use crate::ground::{Case, device};

const BLOCK: usize = 4096;

fn numbers(count: usize) -> Vec<f32> {
    (0..count).map(|i| ((i as f64 * 0.37).sin() * 3.0) as f32).collect()
}

/// Stage by stage until one number is left.
fn sum(values: &[f32]) -> f32 {
    let blocks = values.len().div_ceil(BLOCK);
    let [sums] = Case::new(kernels::SUM_BLOCKS.only())
        .constants(&(values.len() as u32))
        .read(values)
        .write(blocks)
        .run([blocks as u32, 1, 1])
        .try_into()
        .unwrap();
    if sums.len() == 1 { sums[0] } else { sum(&sums) }
}

#[test]
fn the_sum_is_right_at_any_length() {
    for count in [1, 2, 255, 257, 4095, 4096, 4097, 70_001] {
        let values = numbers(count);
        let want: f64 = values.iter().map(|&x| f64::from(x)).sum();
        let scale: f64 = values.iter().map(|&x| f64::from(x).abs()).sum();
        // A number is added to 16 others by its thread, to 8 of the tree, and so on in the second stage.
        close(&[sum(&values)], &[want], &[scale], 48.0).unwrap_or_else(|far| panic!("{count}: {far:?}"));
    }
}

#[test]
fn the_sum_has_the_same_bits_each_time() {
    let values = numbers(10_000);
    let first = sum(&values);
    for _ in 0..5 {
        assert_eq!(sum(&values).to_bits(), first.to_bits());
    }
}

#[test]
fn one_number_more_or_less_is_seen() {
    let mut values = numbers(5000);
    let want: f64 = values.iter().map(|&x| f64::from(x)).sum();
    let scale: f64 = values.iter().map(|&x| f64::from(x).abs()).sum();
    values[4999] += 0.1;
    assert!(close(&[sum(&values)], &[want], &[scale], 48.0).is_err());
}

#[test]
fn a_dispatch_folded_into_two_dimensions_gives_the_same() {
    let values = numbers(5 * BLOCK - 7);
    let run = |workgroups| {
        let case = Case::new(kernels::SUM_BLOCKS.only()).constants(&(values.len() as u32)).read(&values).write(5);
        case.run(workgroups)
    };
    assert_eq!(run([5, 1, 1]), run([3, 2, 1]));
    assert!(device().check().is_ok());
}
