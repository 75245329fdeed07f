// Where one of SOAP's factors lies among the matrices of its model, and the order of its columns among the orders.
struct Factor {
    matrix: u32,
    order: u32,
    dimension: u32,
    // From one row to the next.
    stride: u32,
}

struct Factors {
    count: u32,
    // Numbers from one model to the next.
    matrix_model: u32,
    order_model: u32,
}
