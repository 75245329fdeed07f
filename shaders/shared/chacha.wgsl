// ChaCha with 8 rounds (D. J. Bernstein, ChaCha, a variant of Salsa20, 2008), as a function of its block counter.

fn rotate_left(x: u32, by: u32) -> u32 {
    return (x << by) | (x >> (32u - by));
}

fn quarter_round(x: ptr<function, array<u32, 16>>, a: u32, b: u32, c: u32, d: u32) {
    (*x)[a] += (*x)[b];
    (*x)[d] = rotate_left((*x)[d] ^ (*x)[a], 16u);
    (*x)[c] += (*x)[d];
    (*x)[b] = rotate_left((*x)[b] ^ (*x)[c], 12u);
    (*x)[a] += (*x)[b];
    (*x)[d] = rotate_left((*x)[d] ^ (*x)[a], 8u);
    (*x)[c] += (*x)[d];
    (*x)[b] = rotate_left((*x)[b] ^ (*x)[c], 7u);
}

// The sixteen words of a block, of which the key's upper half is zero; each pair of words low word first.
fn chacha8_block(seed: vec2<u32>, domain: vec2<u32>, block: vec2<u32>, stream: vec2<u32>) -> array<u32, 16> {
    let start = array<u32, 16>(
        0x61707865u, 0x3320646eu, 0x79622d32u, 0x6b206574u,
        seed.x, seed.y, domain.x, domain.y,
        0u, 0u, 0u, 0u,
        block.x, block.y, stream.x, stream.y,
    );
    var x = start;
    for (var pair = 0u; pair < 4u; pair++) {
        quarter_round(&x, 0u, 4u, 8u, 12u);
        quarter_round(&x, 1u, 5u, 9u, 13u);
        quarter_round(&x, 2u, 6u, 10u, 14u);
        quarter_round(&x, 3u, 7u, 11u, 15u);
        quarter_round(&x, 0u, 5u, 10u, 15u);
        quarter_round(&x, 1u, 6u, 11u, 12u);
        quarter_round(&x, 2u, 7u, 8u, 13u);
        quarter_round(&x, 3u, 4u, 9u, 14u);
    }
    var first = start;
    for (var i = 0u; i < 16u; i++) {
        x[i] += first[i];
    }
    return x;
}
