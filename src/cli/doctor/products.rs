//! A small matrix product in every number type: on what runs here, beside its plain twin.

use simile_compute::matrix::{Arena, Finish, Packed, PerColumn, Plain, Rows, RowsMut, Scale, matmul};
use simile_compute::number::{B16, Bf16, F32, Number, U8S8};
use simile_compute::{Isa, Pool};

use super::Check;

const ROWS: usize = 9;
const COLUMNS: usize = 40;
const INPUTS: usize = 64;

/// One check for f32, bf16 and int8 each, which says what ran.
pub fn checks(isa: Isa) -> Vec<Check> {
    // Without an instruction of its own, AVX-512 leaves a number type to AVX2.
    let path = |has: bool, instruction: &str| match isa.name() {
        "avx512" if has => format!("avx512 ({instruction})"),
        "avx512" => "avx2".to_owned(),
        other => other.to_owned(),
    };
    let value = |i: usize| (i * 37 % 101) as f32 / 50.0 - 1.0;
    vec![
        check::<F32, _>(isa, isa.name(), value, Plain),
        check::<B16, _>(isa, &path(isa.has_bf16(), "BF16"), |i| Bf16::new(value(i)), Plain),
        check::<U8S8, _>(
            isa,
            &path(isa.has_int8(), "VNNI"),
            |i| (i * 37 % 251) as u8,
            PerColumn(&[1e-3; COLUMNS]),
        ),
    ]
}

fn check<N: Number, D: Scale<N::Sum>>(
    isa: Isa,
    path: &str,
    input: impl Fn(usize) -> N::Input,
    scale: D,
) -> Check {
    let mut arena = Arena::new(Packed::<N>::bytes(COLUMNS, 1, INPUTS));
    let packed = arena.pack::<N>(COLUMNS, 1, INPUTS, |column, k| ((column * 29 + k * 13) % 17) as f32 - 8.0);
    let inputs: Vec<N::Input> = (0..ROWS * INPUTS).map(input).collect();
    let pool = Pool::new(1);
    let run = |isa| {
        let mut out = vec![0.0f32; ROWS * COLUMNS];
        let finish =
            Finish { scale, bias: None, residual: None, residual_scale: None, act: Default::default() };
        let (rows, to) = (Rows::new(&inputs, ROWS, INPUTS), RowsMut::new(&mut out, ROWS, COLUMNS));
        matmul(isa, &pool, arena.weights(&packed), rows, to, &finish);
        out
    };
    let off = run(isa).iter().zip(run(Isa::SCALAR)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let says = format!("{} products ran on {path}", N::NAME);
    if off < 1e-2 {
        Check::good("kernels", says)
    } else {
        Check::bad("kernels", format!("{says}, {off} off the plain ones: set SIMILE_ISA=scalar and tell us"))
    }
}
